package master

import (
	"fmt"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/dispatch"
)

const (
	// scaleUpFor is how long requests must have been late, at every look, before
	// workers are added: a burst that the present ones answer is no reason.
	scaleUpFor = time.Second
	// mostPatience bounds how much longer than configured a worker must have been
	// too many, after one was taken away too early.
	mostPatience = 16
	// unknownPressure is that of a kernel that does not measure it.
	unknownPressure = -1
)

// load is what one look at a generation under work shows.
type load struct {
	now           time.Time
	wanted, ready int           // workers
	seats         int           // of each
	inHand        int           // requests that wait or are worked on
	waited        time.Duration // that no worker has taken: the longest wait
	pressure      float64       // on the processors, in percent, or unknownPressure
}

// scaleRules are the settings of scaling.
type scaleRules struct {
	bounds
	wait     time.Duration // longer is late
	idle     time.Duration // so long a worker must be too many
	pressure float64       // from here on none is added
}

// scaler decides from one look after the other how many workers there should be. It
// reads no clock and does nothing; the zero value is ready.
//
// Workers are added soon, a quarter more at a time, and taken away late, one at a
// time. Between the two lies a gap: one is added when requests wait, and one is
// taken away when the others would have been less than half busy. Where that is
// wrong, as for workers whose number of requests says little about their work, it
// shows by requests that wait soon after; then more patience is had the next time.
type scaler struct {
	late     time.Time // since when some request was late at every look; zero: none is
	held     bool      // more would be needed, and the processors have no room
	began    time.Time // of the looks that are summed up
	work     float64   // sum of the workers' worth of requests
	looks    int
	patience int       // factor of rules.idle; 0 is 1
	dropped  time.Time // when a worker was taken away last
}

// look returns how many workers there should be, and why if that is another number
// than now; why is also set when the processors have no room for more.
func (s *scaler) look(l load, r scaleRules) (n int, why string) {
	if l.ready < l.wanted { // those that come may be enough
		s.late, s.began = time.Time{}, time.Time{}
		return l.wanted, ""
	}
	if l.waited > r.wait {
		s.began = time.Time{}
		return s.up(l, r)
	}
	s.late, s.held = time.Time{}, false
	return s.down(l, r)
}

// up decides while some request is late.
func (s *scaler) up(l load, r scaleRules) (int, string) {
	if s.late.IsZero() {
		s.late = l.now
	}
	if l.now.Sub(s.late) < scaleUpFor || l.wanted >= r.max {
		return l.wanted, ""
	}
	if l.pressure >= r.pressure {
		if s.held {
			return l.wanted, ""
		}
		s.held = true
		return l.wanted, fmt.Sprintf("requests wait %v, but processes wait for a processor %.0f %% of the time",
			l.waited.Round(time.Millisecond), l.pressure)
	}
	if !s.dropped.IsZero() && l.now.Sub(s.dropped) < s.forbearance(r) {
		s.patience = min(max(s.patience, 1)*2, mostPatience)
	}
	*s = scaler{patience: s.patience, dropped: s.dropped}
	return min(l.wanted+max(l.wanted/4, 1), r.max), fmt.Sprintf("requests wait %v", l.waited.Round(time.Millisecond))
}

// down sums up what the workers have to do, and decides at the end of a period.
func (s *scaler) down(l load, r scaleRules) (int, string) {
	if s.began.IsZero() {
		s.began, s.work, s.looks = l.now, 0, 0
	}
	s.work += float64(l.inHand) / float64(max(l.seats, 1))
	s.looks++
	if l.now.Sub(s.began) < s.forbearance(r) {
		return l.wanted, ""
	}
	busy := s.work / float64(s.looks)
	s.began = time.Time{}
	if l.wanted <= r.min || busy >= float64(l.wanted-1)/2 {
		return l.wanted, ""
	}
	if l.now.Sub(s.dropped) > 2*mostPatience*r.idle {
		s.patience = 1 // what once went wrong is long ago
	}
	s.dropped = l.now
	return l.wanted - 1, fmt.Sprintf("%.1f workers would have been enough for %v", busy, s.forbearance(r))
}

func (s *scaler) forbearance(r scaleRules) time.Duration {
	return time.Duration(max(s.patience, 1)) * r.idle
}

// scale looks at the load and lets the number of workers follow it. While a reload
// runs the number stays: two generations share the machine then.
func (m *master) scale(now time.Time) {
	g := m.gen
	b := g.plan.staff.bounds
	if !b.scales() || m.stage != serving || m.reload.step != calm || g.gate.child == nil {
		return
	}
	s := g.plan.settings
	rules := scaleRules{bounds: b, wait: s.ScaleUpWait(), idle: s.ScaleDownIdle(), pressure: float64(s.ScaleUpPressure())}
	l := m.look(g, now)
	if l.waited > rules.wait {
		l.pressure = m.pressure()
	}
	n, why := g.scaler.look(l, rules)
	switch {
	case n != g.wanted:
		m.log.Info("number of workers changed", "reason", why, "from", g.wanted, "to", n)
		m.setWorkers(g, n)
	case why != "":
		m.log.Info("no workers added", "reason", why, "workers", n, "limit", s.ScaleUpPressure())
	}
}

// look reads the scoreboards.
func (m *master) look(g *generation, now time.Time) load {
	l := load{now: now, wanted: g.wanted, ready: g.count().ready, seats: 1, pressure: unknownPressure}
	if c := g.course.Load(); c != nil {
		l.seats = c.seats
	}
	t := g.gate.traffic()
	l.inHand, l.waited = int(t.inHand), t.waited
	return l
}

// pressure is how much of the time processes of ours, or if nobody counts those any
// process, waited for a processor lately, in percent.
func (m *master) pressure() float64 {
	if p, err := m.parts.Pressure(cgroup.CPU); err == nil {
		return p.Some.Avg10
	}
	if p, err := cgroup.MachinePressure(cgroup.CPU); err == nil {
		return p.Some.Avg10
	}
	return unknownPressure
}

// traffic is what all loops of a gateway tell together.
type traffic struct {
	connections, inHand uint64
	accepted, answered  uint64        // since the gateway began
	waited              time.Duration // of the request that no worker has taken for longest
}

// traffic reads the rows of the gateway's loops. A busy loop writes its own ten times
// a second, an idle one twice.
func (gt *gate) traffic() (t traffic) {
	now := dispatch.Monotonic()
	for i := range gt.board.Loops() {
		row := gt.board.Loop(i)
		t.connections += row.Connections()
		t.inHand += row.Queued() + row.Dispatched()
		t.accepted += row.Accepted()
		t.answered += row.Answered()
		if since := row.Oldest(); since != 0 {
			t.waited = max(t.waited, time.Duration(now-since))
		}
	}
	return t
}

// setWorkers changes the number of workers of a generation and tells the hook.
func (m *master) setWorkers(g *generation, n int) {
	g.resize(n)
	m.callHook(g, "nworkers_changed", "resize", int64(n))
}

// limits are between how many workers a signal may choose.
func (g *generation) limits() bounds {
	if b := g.plan.staff.bounds; b.scales() {
		return b
	}
	return bounds{1, g.board.Slots() - 1} // the last one is for a successor
}
