package master

import (
	"fmt"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// bounds are between how many workers the service has; both are the same number if
// it does not follow the load.
type bounds struct{ min, max int }

func (b bounds) clamp(n int) int { return min(max(n, b.min), b.max) }

// scales reports that the number of workers follows the load.
func (b bounds) scales() bool { return b.min != b.max }

// staffing is how many workers a plan wants.
type staffing struct {
	start      int    // to begin with
	bounds     bounds // that scaling keeps
	auto       bool   // nobody has chosen the number
	processors int    // that were counted for auto
}

// planStaff works out the number of workers. processors is only called if somebody
// asked for a number that fits them.
func planStaff(s *settings.Values, processors func() int) (staffing, error) {
	st := staffing{start: s.Workers()}
	if st.start == settings.Auto {
		st.auto, st.processors = true, processors()
		st.start = fitting(st.processors, s.WorkerClass() == "sync")
	}
	least, most := s.MinWorkers(), s.MaxWorkers()
	if most > 0 && least > most {
		return st, fmt.Errorf("min_workers is %d and max_workers is %d: give a minimum that is not above the maximum", least, most)
	}
	if most == 0 {
		most = max(st.start, least)
	}
	if least == 0 {
		least = min(st.start, most)
	}
	st.bounds = bounds{least, most}
	st.start = st.bounds.clamp(st.start)
	return st, nil
}

// fitting is how many workers fit so many processors. A worker that has one request
// at a time spends part of it waiting, for a database as a rule, and leaves its
// processor to others; Gunicorn's manual says 2n+1, and so do we. Others fill that
// time with other requests themselves. With a single worker a request that hangs, or
// a worker that is being replaced, would be an outage.
func fitting(processors int, oneAtATime bool) int {
	n := processors
	if oneAtATime {
		n = 2*n + 1
	}
	return min(max(n, 2), pool.MaxSize)
}

// room is how many slots the scoreboard of the plan's generations needs: it cannot
// grow.
func (st staffing) room() int {
	most := max(st.start, st.bounds.max)
	if st.auto {
		most = max(most, fitting(st.processors, true))
	}
	return min(most+spareSlots, pool.MaxSize)
}

// staff decides the number of workers of a plan.
func (m *master) staff(p *plan) (err error) {
	if p.staff, err = planStaff(p.settings, cgroup.Processors); err == nil && p.staff.auto {
		m.log.Info("number of workers chosen", "workers", p.staff.start, "processors", p.staff.processors)
	}
	return err
}

// startStrength is how many workers a generation begins with: one that replaces
// another under load does not start the climb anew.
func (m *master) startStrength(p *plan) int {
	if m.gen != nil && p.staff.bounds.scales() && m.gen.plan.staff.bounds.scales() {
		return p.staff.bounds.clamp(m.gen.wanted)
	}
	return p.staff.start
}

// settleStaff chooses the number anew when the first worker of a generation has said
// how it takes requests: with class auto the configuration does not tell.
func (m *master) settleStaff(g *generation, c course) {
	st := g.plan.staff
	if !st.auto || g.wanted != st.start {
		return // somebody else has chosen a number meanwhile
	}
	n := fitting(st.processors, !c.own && c.seats == 1)
	if st.bounds.scales() {
		n = st.bounds.clamp(n)
	}
	if n == g.wanted {
		return
	}
	m.log.Info("number of workers chosen", "gen", g.number, "workers", n, "from", g.wanted, "processors", st.processors, "course", c)
	g.resize(n)
}

// resize makes n workers be wanted, within the room of the scoreboard.
func (g *generation) resize(n int) {
	g.wanted = n
	g.pool.Resize(n)
}
