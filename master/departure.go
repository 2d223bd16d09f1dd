package master

import (
	"slices"
	"time"
)

// seeOff takes the next step of a generation's way out, if it has become possible,
// and reports that the generation is gone, with its gateway if no other generation
// has that.
//
//	nothing is sent to it ─▶ workers retire ─▶ mold leaves ─▶ gateway, if its own, leaves
func (m *master) seeOff(g *generation) bool {
	if !g.ended {
		if g.spared || g.gate.drained {
			g.leaving = true
			m.retire(g)
		}
		return false
	}
	if c := g.mold.child; c != nil && !g.unresolved() { // else it has a spawn order to answer
		if g == m.gen && !c.closed {
			m.callHook(g, "on_exit", "on_exit")
		}
		c.hangUp()
	}
	if !g.gone() {
		return false
	}
	if gt := g.gate; gt.child != nil && m.deserted(gt) {
		gt.child.hangUp()
		return false
	}
	return true
}

// deserted reports that no generation is left that takes requests from a gateway.
func (m *master) deserted(gt *gate) bool {
	return !slices.ContainsFunc(m.generations(), func(g *generation) bool { return g.gate == gt && !g.gone() })
}

// shared reports that another generation than g has the gateway too.
func (m *master) shared(gt *gate, g *generation) bool {
	return slices.ContainsFunc(m.generations(), func(other *generation) bool { return other != g && other.gate == gt })
}

// retire makes the workers of a generation leave after what they hold. It may be
// called more than once.
func (m *master) retire(g *generation) {
	why := errDrained
	switch {
	case g == m.reload.prior:
		why = errSucceeded
	case g == m.reload.next:
		why = errUndone
	case g == m.kept:
		why = errKeptGone
	}
	if g.gate.drained {
		g.hearNoMore()
	}
	g.retire(why) // has an effect once
	m.cancelQueued(g, errLeaving)
	if g.plan.settings.GracefulTimeout() == 0 {
		g.pool.Kill()
	}
}

// hearNoMore closes our copies of the reply sockets, because no gateway will read
// them again. What workers still say, to clients that left, would fill them, and
// then they would wait for room instead of leaving; now it fails.
func (g *generation) hearNoMore() {
	for _, w := range g.workers {
		closeAll(w.reply)
		w.reply = nil
	}
}

// hasten ends what keeps a generation that leaves from going, after its time. The
// workers' time is kept by their pool.
func (m *master) hasten(g *generation, now time.Time) {
	own := !m.shared(g.gate, g)
	switch {
	case g.ended:
		if now.Before(g.endedAt.Add(stragglers)) {
			return
		}
		if g.mold.child != nil {
			g.mold.child.kill()
		}
		if own && g.gate.child != nil {
			g.gate.child.kill()
		}
	case own && !g.gate.drained:
		m.log.Warn("gateway had not drained", "gen", g.number, "limit", g.plan.settings.GracefulTimeout())
		g.gate.drained = true
		if g.gate.child != nil {
			g.gate.child.kill()
		}
	default:
		g.spared = true // a gateway that does not say so by now is stuck
	}
	for _, w := range g.workers {
		if g.ended && g.mold.child == nil && w.pending() {
			// Whoever it is that holds its report socket open: the end of the lane
			// makes it leave.
			g.forget(w)
		}
	}
}

// cancelQueued answers the spawn orders that were never given to the mold, for
// which the pool would wait.
func (m *master) cancelQueued(g *generation, why error) {
	for _, w := range g.queue {
		g.forget(w)
		g.pool.SpawnFailed(w.slot, why)
	}
	g.queue = nil
}
