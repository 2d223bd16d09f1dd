package master

import (
	"syscall"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

const (
	// abortGrace is how long a worker has between SIGABRT and SIGKILL. The stacks
	// are written in a millisecond; the rest is for a hook worker_abort.
	abortGrace = time.Second
	// beatsInTimeout is how many beats a worker gives in the time after which it is
	// killed without one, and beatMin the shortest time between two.
	beatsInTimeout = 5
	beatMin        = 20 * time.Millisecond
	// lookSignal makes a sync worker look at the time that its request takes
	// (python/indrik/deadline.py).
	lookSignal = syscall.Signal(61)
)

// limits are the deadlines of the workers.
func limits(s *settings.Values) pool.Limits {
	l := pool.Limits{
		Boot:      s.BootTimeout(),
		Busy:      s.Timeout(),
		Beat:      max(s.Timeout(), silenceMin(s.Timeout())),
		Grace:     s.GracefulTimeout(),
		Abort:     abortGrace,
		Age:       s.MaxWorkerAge(),
		AgeJitter: s.MaxWorkerAgeJitter(),
	}
	if most := s.RequestTimeout(); most > 0 {
		l.Request = most + s.RequestTimeoutGrace()
	}
	return l
}

// beatFor is how often workers beat that are killed after so long without one; 0 is
// never.
func beatFor(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return laneBeat
	}
	return min(laneBeat, max(timeout/beatsInTimeout, beatMin))
}

// silenceMin is the shortest silence that can be told from the pause between beats;
// none if there is no limit.
func silenceMin(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return 0
	}
	return beatsInTimeout * beatMin
}

// remind has sync workers look at the time that their requests take. The other
// classes have somebody who looks by himself.
func (m *master) remind() {
	for _, g := range m.generations() {
		s := g.plan.settings
		slow, most := s.SlowRequest(), s.RequestTimeout()
		if c := g.course.Load(); slow == 0 && most == 0 || c == nil || c.own || c.seats > 1 {
			continue
		}
		for _, w := range g.workers {
			if w.ready && (w.phase == pool.Idle || w.phase == pool.Busy || w.phase == pool.Draining) {
				w.remind(slow, most)
			}
		}
	}
}

// remind signals a worker whose request has become slow, once, and one whose request
// is late, until that has ended: it may have been where it could not be interrupted.
func (w *worker) remind(slow, most time.Duration) {
	row := w.gen.board.Seat(int(w.slot), 0)
	id, start := row.Request()
	if id == 0 || row.Life() != 0 { // a gthread worker of one thread
		return
	}
	age := time.Duration(dispatch.Monotonic() - start)
	late := most > 0 && age >= most
	if !late && (slow == 0 || age < slow || w.reminded == id) {
		return
	}
	w.reminded = id
	w.gen.pool.SignalOne(w.slot, w.pid, lookSignal)
}

// inHand is a request that a worker holds: its id, and when it began, in nanoseconds
// of CLOCK_MONOTONIC.
type inHand struct {
	id    uint64
	start int64
}

// inHand reads what the slot's worker has in hand. It may be called from any
// goroutine.
func (g *generation) inHand(slot pool.SlotID) (held []inHand) {
	for seat := range g.board.Seats() {
		if id, start := g.board.Seat(int(slot), seat).Request(); id != 0 {
			held = append(held, inHand{id, start})
		}
	}
	return held
}

// leaveCause is the cause of a death as the gateway knows it.
func leaveCause(d *pool.Death) string {
	if d.Cause == pool.Overran || d.Cause == pool.Silent {
		return gateway.CauseTimeout
	}
	return d.Cause.String()
}

// blame tells the requests for which a worker ended from those that only were in it:
// of a gthread worker that was killed for one late request.
func (g *generation) blame(slot pool.SlotID, d *pool.Death, held []uint64) (blamed, others []uint64) {
	most := g.plan.settings.RequestTimeout()
	if d.Cause != pool.Overran || most == 0 || len(held) < 2 {
		return held, nil
	}
	now := dispatch.Monotonic()
	for _, r := range g.inHand(slot) {
		if time.Duration(now-r.start) >= most {
			blamed = append(blamed, r.id)
		} else {
			others = append(others, r.id)
		}
	}
	return blamed, others
}
