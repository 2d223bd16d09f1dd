package master

import (
	"errors"
	"slices"
	"time"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/gateway"
)

// stragglers is how long gateway and mold may take to leave once they have
// nothing left to do.
const stragglers = 2 * time.Second

var (
	errDrained = errors.New("the gateway holds nothing any more")
	errQuick   = errors.New("stopped at once")
	errLeaving = errors.New("the service is stopping")
)

// stop begins to stop: nothing new is accepted, what is held is finished.
//
//	gateway drains ─▶ workers retire ─▶ mold and gateway leave ─▶ we leave
//
// Each arrow is a step of leaveInOrder; the deadline of --graceful-timeout is
// for all of them together.
func (m *master) stop(reason string) {
	if m.stage == stopping {
		return
	}
	wasBooting := m.stage == booting
	m.stage = stopping
	m.deadline = time.Now().Add(m.cfg.Settings.GracefulTimeout())
	m.log.Info("stopping", "reason", reason, "limit", m.cfg.Settings.GracefulTimeout())
	m.tellStopping()
	switch {
	case m.gate.child == nil:
		m.drained = true
	case wasBooting:
		// It never accepted, so it holds nothing.
		m.drained = true
		m.gate.child.hangUp()
	default:
		m.order(gateway.DrainOrder())
	}
	m.stopListening()
	if m.cfg.Settings.GracefulTimeout() == 0 {
		m.quick()
	}
}

// stopListening closes the listeners that are ours. The gateway, which has taken
// or is taking what waits in them, closes the last copy; with ours open, clients
// that come during the drain would wait for an answer and be reset at its end.
func (m *master) stopListening() {
	m.sockets = slices.DeleteFunc(m.sockets, func(s activation.Socket) bool {
		if !s.Owned {
			return false
		}
		if err := s.Close(); err != nil {
			m.log.Warn("listener not closed", "listener", s.Name, "error", err)
		}
		return true
	})
}

// quick ends everything now.
func (m *master) quick() {
	if m.quickly {
		return
	}
	m.quickly, m.drained = true, true
	if m.gate.child != nil {
		m.gate.child.hangUp() // it takes no orders any more
		m.gate.child.kill()
	}
	m.gen.retire(errQuick)
	m.gen.pool.Kill()
	m.deadline = time.Now().Add(stragglers)
}

// fail ends the service because of err, which Run will return.
func (m *master) fail(err error) {
	if m.stage == stopping {
		return
	}
	m.stage, m.outcome = stopping, err
	var boot *bootFailure
	if errors.As(err, &boot) {
		m.printRaw(boot.text)
	}
	m.tellFailure(err)
	m.quick()
}

// leaveInOrder takes the next step of stopping, if it has become possible.
func (m *master) leaveInOrder() {
	if !m.drained {
		return
	}
	g := m.gen
	if !g.ended {
		g.hearNoMore()
		g.retire(errDrained) // has an effect once
		m.cancelQueued()
		return
	}
	if g.mold.child != nil && !g.unresolved() { // else it has a spawn order to answer
		if !g.mold.child.closed {
			m.callHook("on_exit", "on_exit")
		}
		g.mold.child.hangUp()
	}
	if m.gate.child != nil {
		m.gate.child.hangUp()
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

// cancelQueued answers the spawn orders that were never given to the mold, for
// which the pool would wait.
func (m *master) cancelQueued() {
	for _, w := range m.gen.queue {
		m.gen.forget(w)
		m.gen.pool.SpawnFailed(w.slot, errLeaving)
	}
	m.gen.queue = nil
}

// judgeStop ends what did not end in time.
func (m *master) judgeStop(now time.Time) {
	if m.stage != stopping || now.Before(m.deadline) {
		return
	}
	if !m.quickly {
		m.log.Warn("graceful timeout passed", "limit", m.cfg.Settings.GracefulTimeout())
		m.quick()
		return
	}
	for _, c := range []*child{m.gate.child, m.gen.mold.child} {
		if c != nil {
			c.kill()
		}
	}
	if m.gen.mold.child != nil || !now.After(m.deadline.Add(stragglers)) {
		return
	}
	for _, w := range m.gen.workers {
		if w.pending() {
			// Whoever it is that holds its report socket open: the end of the lane
			// makes it leave.
			m.gen.forget(w)
		}
	}
}

// poolEnded hears that no worker is left.
func (m *master) poolEnded(g *generation, err error) {
	g.ended = true
	if err != nil {
		m.log.Error("pool ended", "gen", g.number, "error", err)
	}
	for _, w := range g.workers {
		if w.pid != 0 && w.death == nil {
			g.forget(w)
			g.stray(w.pid) // the pool was told too late
		}
	}
	if limit := time.Now().Add(stragglers); m.deadline.After(limit) {
		m.deadline, m.quickly = limit, true
	}
}

// gone reports that no process of ours is left.
func (m *master) gone() bool {
	return m.stage == stopping && m.gen.ended && m.gate.child == nil && m.gen.mold.child == nil &&
		!m.gen.unresolved()
}
