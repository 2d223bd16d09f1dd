package gateway

import (
	"fmt"

	"github.com/indrik/indrik/dispatch"
)

// ProbeOrder asks for a sign of life by the whole way that orders take: every loop
// takes note of it, and then FactProbed comes back with the number. A loop's beat
// alone says nothing of the goroutine that obeys.
func ProbeOrder(number int) dispatch.Tuple { return dispatch.Tuple{"probe", int64(number)} }

// probe carries it out. A loop must not wait for the master, so the
// answer is sent from elsewhere; at most one is on its way for each order.
func (g *gateway) probe(o *order) error {
	number := o.number(1)
	if o.bad {
		return fmt.Errorf("%w: probe", errOrder)
	}
	passed := g.afterAll(func() {
		go func() { _ = g.channel.Send(dispatch.Tuple{FactProbed, int64(number)}) }() // the master may be gone
	})
	for _, l := range g.loops {
		if !l.post(func(*loop) { passed() }) {
			passed() // that loop has drained
		}
	}
	return nil
}
