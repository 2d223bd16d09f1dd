package master

import (
	"fmt"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// course is how the workers of a generation take requests. The first of them
// that is ready says it, because only who has loaded the application knows.
type course struct {
	iface string // "wsgi" or "asgi"
	seats int    // requests at a time
	own   bool   // from a lane of its own
}

func (c course) String() string {
	if c.own {
		return fmt.Sprintf("%s, %d at a time from a lane of its own", c.iface, c.seats)
	}
	return fmt.Sprintf("%s, %d at a time from the shared lane", c.iface, c.seats)
}

// boardSeats is how many seats of a slot the scoreboard shows: those that sync
// and gthread workers have. Others show what they do in the first.
func boardSeats(s *settings.Values) int {
	switch s.WorkerClass() {
	case "auto", "gthread":
		return s.Threads()
	}
	return 1
}

// mayNeedOwn reports that workers of this class take requests from a lane of
// their own, or may find out that they do.
func mayNeedOwn(class string) bool { return class != "sync" && class != "gthread" }

// workerReady hears that a worker takes requests, and how.
func (m *master) workerReady(w *worker, msg dispatch.Tuple) {
	g := w.gen
	before := g.course.Load()
	c, err := readCourse(msg)
	if err == nil {
		err = g.agree(c, w.own != nil)
	}
	if err != nil {
		w.refused = true
		m.workerFailed(w, "boot", err.Error())
		if w.pid != 0 {
			g.pool.Dismiss(w.slot, w.pid, w.failure.cause())
		}
		return
	}
	if before == nil || *before != c {
		m.log.Debug("workers have a course", "gen", g.number, "interface", c.iface, "seats", c.seats, "own", c.own)
		m.settleStaff(g, c)
		m.settleGate(g, c)
		m.tellCourse(g)
	}
	if !c.own {
		w.dropOwn()
	}
	w.ready = true
	g.adopt(w)
	g.raise(w.pid)
	if w.pid != 0 {
		g.pool.Ready(w.slot, w.pid)
	}
}

// readCourse reads a worker's word "ready".
func readCourse(msg dispatch.Tuple) (course, error) {
	c := course{iface: text(msg, 1), seats: number(msg, 2)}
	own, ok := item(msg, 3).(bool)
	c.own = own
	if !ok || c.seats < 1 || c.iface != "wsgi" && c.iface != "asgi" {
		return c, fmt.Errorf("a worker said that it is ready in words nobody understands: %v", msg)
	}
	return c, nil
}

// agree makes c the course of the generation if it has none, or is fluid. An error
// says why a worker of that course cannot serve in it: the gateway writes requests
// for all of them alike.
func (g *generation) agree(c course, equipped bool) error {
	switch {
	case c.own && !equipped:
		return fmt.Errorf("a worker wants to take requests from a lane of its own and has none (%v)", c)
	case !c.own && c.seats > g.board.Seats():
		return fmt.Errorf("a worker has %d seats where the scoreboard shows %d", c.seats, g.board.Seats())
	}
	if old := g.course.Load(); old != nil && *old != c && !g.fluid {
		return fmt.Errorf("this worker takes %v, but the workers before it take %v: the application has become another one, reload the service", c, *old)
	}
	g.course.Store(&c)
	return nil
}

// tellCourse tells the gateway where requests of a generation go, once that is
// known.
func (m *master) tellCourse(g *generation) {
	c := g.course.Load()
	if c == nil || g.gate.serves != g {
		return
	}
	order := gateway.LaneOrder(g.number, c.iface, c.seats)
	if c.own {
		m.order(g.gate, order)
	} else {
		m.order(g.gate, order, g.lane.gateway, g.lane.workers)
	}
}

// settleGate gives the next generation a gateway of its own if its workers take
// requests in another form: what waits in the present one is written already.
func (m *master) settleGate(g *generation, c course) {
	serves := m.gen.course.Load()
	if g != m.reload.next || g.gate != m.gen.gate || serves == nil || serves.iface == c.iface {
		return
	}
	own, err := newGate(g.plan)
	if err != nil {
		m.refuse(err)
		return
	}
	m.forget(g)
	g.gate, own.serves = own, g
}

// releaseOwn retires a worker that takes requests from a lane of its own: once
// nobody can write to the lane any more, the worker finds its end.
func (m *master) releaseOwn(w *worker) {
	if w.own == nil || w.released {
		return
	}
	w.released = true
	if w.joined {
		m.order(w.gen.gate, gateway.ReleaseOrder(int(w.slot), w.pid))
	}
	w.own.closeGateway()
}

// workerLeaving hears that a worker wants to be retired.
func (m *master) workerLeaving(w *worker, why string) {
	if w.pid == 0 || w.gen.workers[w.slot] != w {
		return
	}
	m.log.Debug("worker leaves", "slot", int(w.slot), "pid", w.pid, "reason", why)
	switch why {
	case "request_timeout", "max_requests": // it is of use until its successor is
		w.gen.pool.Replace(w.slot, w.pid, why)
	default:
		w.gen.pool.RetireFor(w.slot, w.pid, why)
	}
}

// filesChanged replaces all workers, because one of them saw that a file of
// the application changed. The others see it too; their word counts no more once
// they are on their way out.
func (m *master) filesChanged(reporter *worker, paths []string) {
	if reporter.replaced || reporter.gen.workers[reporter.slot] != reporter || m.stage == stopping {
		return
	}
	m.log.Info("files changed", "files", paths)
	for _, w := range reporter.gen.workers {
		if w.pid != 0 && !w.replaced {
			w.replaced = true
			w.gen.pool.RetireFor(w.slot, w.pid, "files changed")
		}
	}
}

// activity tells the pool what the worker of a slot wrote about itself. It runs
// on the pool's goroutine, and on the master's.
//
// A sync worker beats between requests only. All others beat while they work: a
// gthread worker by its main thread, whose life is in the first seat's row, the
// others by their event loop.
func (g *generation) activity(slot pool.SlotID) pool.Activity {
	first := g.board.Seat(int(slot), 0)
	a := pool.Activity{Beat: time.Duration(first.Life()), Leaving: first.Leaving()}
	if a.Leaving {
		a.Why = "SIGTERM" // nothing else makes a worker on the shared lane leave
	}
	seats := 1
	if c := g.course.Load(); c != nil {
		seats = min(c.seats, g.board.Seats())
		a.Concurrent = c.own || seats > 1 || a.Beat != 0
	}
	for seat := range seats {
		row := g.board.Seat(int(slot), seat)
		a.Beat = max(a.Beat, time.Duration(row.Beat()))
		if id, start := row.Request(); id != 0 && (!a.Busy || time.Duration(start) < a.Since) {
			a.Busy, a.Since = true, time.Duration(start)
		}
	}
	return a
}
