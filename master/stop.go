package master

import (
	"errors"
	"slices"
	"time"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
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
	limit := m.plan.settings.GracefulTimeout()
	m.deadline = time.Now().Add(limit)
	m.log.Info("stopping", "reason", reason, "limit", limit)
	m.voice.Stopping(m.words())
	m.chronicle.Note(control.Event{What: "stopping", Generation: m.gen.number, Reason: reason})
	m.letKeptGo("the service stops")
	m.reloads.Dropped(errStopped, m.gen.number, m.reload.began)
	switch m.reload.step {
	case checking, quieting, reading, raising, moving:
		m.undo()
	case calm, leaving, undoing:
	}
	for _, gt := range m.gates() {
		switch {
		case gt.drained:
		case gt.child == nil || wasBooting:
			m.dropGateway(gt)
		default:
			m.order(gt, gateway.DrainOrder(0))
		}
	}
	m.stopListening()
	if limit == 0 {
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
	m.quickly = true
	m.letKeptGo("the service stops")
	for _, gt := range m.gates() {
		gt.drained = true
		if gt.child != nil {
			gt.child.hangUp() // it takes no orders any more
			gt.child.kill()
		}
	}
	for _, g := range m.generations() {
		g.retire(errQuick)
		g.pool.Kill()
	}
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
	for _, g := range m.generations() {
		m.seeOff(g)
	}
}

// judgeStop ends what did not end in time.
func (m *master) judgeStop(now time.Time) {
	if m.stage != stopping || now.Before(m.deadline) {
		return
	}
	if !m.quickly {
		m.log.Warn("graceful timeout passed", "limit", m.plan.settings.GracefulTimeout())
		m.quick()
		return
	}
	for _, c := range m.children() {
		c.kill()
	}
	if !now.After(m.deadline.Add(stragglers)) {
		return
	}
	for _, g := range m.generations() {
		for _, w := range g.workers {
			if g.mold.child == nil && w.pending() {
				// Whoever it is that holds its report socket open: the end of the lane
				// makes it leave.
				g.forget(w)
			}
		}
	}
}

// poolEnded hears that no worker is left.
func (m *master) poolEnded(g *generation, err error) {
	if errors.Is(err, pool.ErrSuspended) {
		return // another goes on with its workers
	}
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
	g.endedAt = time.Now()
	for _, other := range m.generations() {
		if !other.ended {
			return
		}
	}
	if limit := time.Now().Add(stragglers); m.stage == stopping && m.deadline.After(limit) {
		m.deadline, m.quickly = limit, true
	}
}

// gone reports that no process of ours is left.
func (m *master) gone() bool {
	for _, g := range m.generations() {
		if !g.gone() {
			return false
		}
	}
	return m.stage == stopping && len(m.children()) == 0
}
