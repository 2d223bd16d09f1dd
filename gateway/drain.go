package gateway

import (
	"fmt"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// leaveOff carries out the order to drain.
func (g *gateway) leaveOff(o *order, fds []int) error {
	idle, talking, successor := o.number(1), o.number(2), -1
	if o.bad || len(fds) > 1 {
		return fmt.Errorf("%w: drain", errOrder)
	}
	if len(fds) == 1 {
		successor = fds[0]
	}
	g.drain(time.Duration(idle)*time.Millisecond, time.Duration(talking)*time.Millisecond, successor)
	return nil
}

// drain makes every loop finish and end, and then closes drained. Connections
// without a request may stay for idle, so that a client that is about to send one
// is answered and then told to close, and not cut off; conversations may go on for
// talking. Connections are passed on over successor, unless it is -1.
func (g *gateway) drain(idle, talking time.Duration, successor int) {
	parting := dispatch.Monotonic() + int64(idle)
	if g.draining.Load() {
		closeFD(successor)
		g.hurry(parting)
		return
	}
	g.parting.Store(parting)
	var h *handover
	if successor >= 0 {
		h = g.prepareHandover(successor) // before anybody is told to close
	}
	g.draining.Store(true)
	if talking > 0 {
		time.AfterFunc(talking, g.talking.end)
	} else {
		g.talking.end()
	}
	for _, l := range g.loops {
		l.post(func(l *loop) { l.drain(parting) })
	}
	g.residents.drain()
	if h != nil {
		go h.listen()
		go h.run()
	}
	go func() {
		g.running.Wait()
		close(g.drained)
	}()
}

// hurry is what a second order to drain does: nothing more is handed over, and what
// may end later ends by parting (CLOCK_MONOTONIC ns).
func (g *gateway) hurry(parting int64) {
	parting = min(parting, g.parting.Load())
	g.parting.Store(parting)
	select {
	case <-g.halting:
	default:
		close(g.halting) // the goroutine of Run alone does this
	}
	g.talking.end()
	for _, l := range g.loops {
		l.post(func(l *loop) {
			l.parting = parting
			l.part()
		})
	}
	g.residents.drain()
}

// drain begins the end of a loop: it accepts nothing more, connections without
// a request are closed, the others after their response. One that was taken only
// now may have its first request on the way, so it is given a moment; if another
// gateway goes on with the service, all are, until parting (CLOCK_MONOTONIC ns),
// or they go to that. The loop ends with its last connection (housekeep).
func (l *loop) drain(parting int64) {
	if l.draining {
		return
	}
	l.stopAccepting()
	l.draining, l.parting, l.unasked = true, parting, len(l.conns)
	if !l.passing() {
		l.part()
	}
}

// part lets connections without a request go, now or by parting.
func (l *loop) part() {
	for i := len(l.conns) - 1; i >= 0; i-- {
		if i >= len(l.conns) {
			continue // more than one has gone
		}
		c := l.conns[i]
		if c.phase != reading {
			continue
		}
		// A request may have arrived that this round has not come to yet.
		l.read(c)
		switch {
		case c.phase != reading || c.begun:
		case c.fresh:
			c.deadline = min(c.deadline, max(l.parting, l.now+firstRequestTime))
		case l.now < l.parting:
			c.deadline = min(c.deadline, l.parting)
		default:
			l.close(c)
		}
	}
}
