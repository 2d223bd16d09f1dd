package gateway

import (
	"fmt"
	"sync/atomic"

	"github.com/indrik/indrik/dispatch"
)

// HeldOrder asks how many requests are with the workers of a generation, or in their
// lanes. FactHeld answers it.
func HeldOrder(generation int) dispatch.Tuple { return dispatch.Tuple{"held", int64(generation)} }

// held carries it out. What a loop gets to do is done in order, so that after a lane
// order the number only falls.
func (g *gateway) held(o *order) error {
	generation := o.number(1)
	if o.bad {
		return fmt.Errorf("%w: held", errOrder)
	}
	sum := new(atomic.Int64)
	counted := g.afterAll(func() {
		go func() { // a loop must not wait for the master, who may be gone
			_ = g.channel.Send(dispatch.Tuple{FactHeld, int64(generation), sum.Load()})
		}()
	})
	for _, l := range g.loops {
		if !l.post(func(l *loop) { sum.Add(l.heldBy(generation)); counted() }) {
			counted() // that loop has drained: it holds nothing
		}
	}
	return nil
}

// heldBy counts this loop's requests that are with workers of a generation.
func (l *loop) heldBy(generation int) (n int64) {
	for _, r := range l.requests.all {
		if r.phase != unused && r.lane != nil && r.lane.generation == generation {
			n++
		}
	}
	return n
}
