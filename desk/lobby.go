package desk

import (
	"context"
	"sync"

	"github.com/indrik/indrik/metrics"
)

// Lobby is where those wait who ask a loop for facts. However many ask, there is one
// question at a time in the loop's mailbox, also if it is stuck for long. The zero value
// is empty; any goroutine but the loop's may ask.
type Lobby struct {
	mu      sync.Mutex
	pending *inquiry
}

// inquiry is such a question; facts is set when done is closed.
type inquiry struct {
	done  chan struct{}
	facts *metrics.Facts
}

// Ask waits for what look sees, which is called on the loop's goroutine: put gives that
// something to do in its turn. The error is [ErrStuck] if ctx ends before.
func (d *Lobby) Ask(ctx context.Context, put func(func()), look func() *metrics.Facts) (*metrics.Facts, error) {
	d.mu.Lock()
	q := d.pending
	if q == nil {
		q = &inquiry{done: make(chan struct{})}
		d.pending = q
		put(func() { d.tell(q, look()) })
	}
	d.mu.Unlock()
	select {
	case <-q.done:
		return q.facts.Clone(), nil
	case <-ctx.Done():
		return nil, ErrStuck
	}
}

// tell tells all who wait.
func (d *Lobby) tell(q *inquiry, facts *metrics.Facts) {
	q.facts = facts
	d.mu.Lock()
	d.pending = nil
	d.mu.Unlock()
	close(q.done)
}
