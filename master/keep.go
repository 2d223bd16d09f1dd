package master

import (
	"time"

	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
)

// heldPeriod is how often the gateway is asked what a kept generation still holds.
const heldPeriod = time.Second

// keep is what a generation has to it that stays after a reload, for a rollback.
//
//	takes over from it ─▶ nothing is sent to it: parked ─▶ holds nothing: quiet, frozen
//
// It gets no requests and no new workers. From parked on it is the master's kept
// generation, until a rollback wakes it or it is let go.
type keep struct {
	stays  bool      // it is not retired when its successor serves
	parked bool      // it is the one kept
	quiet  bool      // it has no request any more, and the gateway has forgotten it
	until  time.Time // when its time is over; zero until it is parked first
	lastly time.Time // when the gateway was asked what it holds
	moldBy bool      // its mold is frozen
}

// worth reports that a generation is to be kept when another takes over from it. One
// that was taken over from another version is not: its workers are of that version, and
// a gateway of this one would have to speak to them.
func (m *master) worth(g *generation) bool {
	return m.plan.settings.KeepPrevious() > 0 && !g.strange && m.stage == serving
}

// sendOff takes the next step of the end of a generation that does not serve any more,
// or never did: it is kept or leaves. It reports that this is over, and takes it away.
func (m *master) sendOff(g **generation) bool {
	if (*g).stays {
		if !m.park(*g) {
			return false
		}
		*g = nil
		return true
	}
	if !m.seeOff(*g) {
		return false
	}
	m.bury(g)
	return true
}

// park makes g the kept generation, once nothing is sent to it, and once the process is
// gone of a gateway that only it had: two could not read its workers' replies.
func (m *master) park(g *generation) bool {
	gt, own := g.gate, g.gate != m.gen.gate
	switch {
	case own && gt.drained && gt.child != nil && m.kept == nil:
		gt.child.hangUp()
		return false
	case m.reload.step == undoing && !m.recant(g):
		return false
	case own && gt.child != nil, !own && !g.spared, m.kept != nil:
		return false
	}
	if own {
		m.tolls.remember(gt)
		gt.close()
		g.gate = m.gen.gate
		m.unknown(g)
	}
	if g.until.IsZero() {
		g.until = time.Now().Add(m.plan.settings.KeepPrevious())
	}
	g.parked, g.spared, g.lastly = true, false, time.Time{}
	g.quiet = own
	g.pool.Park(g.quiet)
	m.kept = g
	m.log.Info("generation kept", "gen", g.number, "for", time.Until(g.until).Round(time.Second))
	m.tendKept(time.Now())
	return true
}

// recant takes back what a rollback that failed has begun to boot, so that the next one
// does not fail for the same worker. It reports that nothing of it is left.
func (m *master) recant(g *generation) bool {
	g.pool.Park(false)
	m.cancelQueued(g, errUndone)
	done := !g.unresolved()
	for _, w := range g.workers {
		switch w.phase {
		case pool.Idle, pool.Busy, pool.Draining:
			continue
		case pool.Starting:
			g.pool.Dismiss(w.slot, w.pid, pool.Asked)
		case pool.Vacant, pool.Aborting, pool.Killed:
		}
		done = false
	}
	return done
}

// unknown notes that no gateway knows a generation.
func (m *master) unknown(g *generation) {
	g.shown = false
	for _, w := range g.workers {
		w.joined = false
	}
}

// tendKept does for the kept generation what it is time for.
func (m *master) tendKept(now time.Time) {
	g := m.kept
	switch {
	case g == nil:
	case g.leaving:
		if now.After(g.until) {
			m.hasten(g, now)
		}
	case !now.Before(g.until):
		m.letKeptGo("its time is over")
	case !g.quiet:
		if now.Sub(g.lastly) >= heldPeriod {
			g.lastly = now
			m.order(g.gate, gateway.HeldOrder(g.number))
		}
	default:
		m.freeze(g)
	}
}

// heldTold hears how many requests a generation holds.
func (m *master) heldTold(gt *gate, number, count int) {
	g := m.kept
	if g == nil || g.gate != gt || g.number != number || count > 0 || g.quiet || g.leaving {
		return
	}
	m.forget(g)
	m.silence(g)
}

// silence notes that a parked generation has no request any more.
func (m *master) silence(g *generation) {
	g.quiet = true
	g.pool.Park(true) // first: no limit may end who cannot beat
	m.freeze(g)
}

// freeze stops what is idle of a quiet generation, where its processes have control
// groups of their own. Elsewhere they wait like any worker without a request.
func (m *master) freeze(g *generation) {
	for _, w := range g.workers {
		if !w.frozen && w.idle() {
			w.frozen = m.parts.Freeze(w.part(), true)
		}
	}
	if c := g.mold.child; c != nil && !g.moldBy && !g.unresolved() {
		g.moldBy = m.parts.Freeze(parts.Mold(g.number, c.pid), true)
	}
}

// thaw lets a generation go on.
func (m *master) thaw(g *generation) {
	for _, w := range g.workers {
		if w.frozen {
			w.frozen = false
			m.parts.Freeze(w.part(), false)
		}
	}
	if c := g.mold.child; c != nil && g.moldBy {
		m.parts.Freeze(parts.Mold(g.number, c.pid), false)
	}
	g.moldBy = false
}

// letKeptGo retires the kept generation. It stays m.kept until it is gone, which
// buryKept looks after.
func (m *master) letKeptGo(why string) {
	g := m.kept
	if g == nil || g.leaving {
		return
	}
	m.log.Info("generation not kept any more", "gen", g.number, "reason", why)
	m.thaw(g)
	g.leaving, g.spared, g.stays = true, true, false
	g.until = time.Now().Add(g.plan.settings.GracefulTimeout())
}

// buryKept takes the next step of the kept generation's way out.
func (m *master) buryKept() {
	if g := m.kept; g != nil && g.leaving && m.seeOff(g) {
		m.bury(&m.kept)
	}
}

// describeKept is what the status tells of it; nil if there is nothing to return to.
func (m *master) describeKept() *control.Kept {
	g := m.kept
	if g == nil || g.leaving {
		return nil
	}
	k := &control.Kept{Generation: g.number, Left: max(time.Until(g.until), 0).Seconds(), Frozen: g.moldBy}
	for _, w := range g.workers {
		if w.idle() {
			k.Workers++
		}
	}
	if c := g.mold.child; c != nil {
		k.Mold = c.pid
	}
	return k
}
