package master

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/indrik/indrik/control"
)

var (
	errNotKept = control.Errorf(http.StatusConflict,
		"no generation is kept that this one could go back to: it was retired after keep_previous (0 keeps none), or the service has not been reloaded; "+
			"put the old version back where it was and reload")
	errUnderWay = control.Errorf(http.StatusConflict, "a reload runs, or waits to run: wait for its outcome, and go back then")
	// errKeptGone is the same as errNotKept of a rollback that had to wait.
	errKeptGone = errors.New("the generation before is not kept any more")
)

// askRollback begins the return to the kept generation, or has it wait until that is
// parked: an old gateway may have requests to finish.
func (m *master) askRollback() (control.Reload, error) {
	r := &m.reload
	switch {
	case m.stage == stopping || m.farewell.Begun():
		return control.Reload{}, errStopping
	case r.again || m.reloads.Back != nil:
		return control.Reload{}, errUnderWay
	case r.step == leaving && r.prior.stays:
		m.log.Info("rollback put off", "step", r.step)
	case r.step != calm && r.step != leaving:
		return control.Reload{}, errUnderWay
	case r.step == leaving || m.kept == nil || m.kept.leaving:
		return control.Reload{}, errNotKept
	}
	wish := m.reloads.AskedBack(time.Now())
	if r.step == calm {
		m.beginRollback()
	}
	known, _ := m.findReload(wish.ID)
	return known, nil
}

// beginRollback makes the kept generation the next one. From there on a rollback is a
// reload: it serves when its workers are ready, and the one that served leaves.
//
// Its configuration is worked out anew, because what it needed of this machine
// (addresses, the pid file, the control socket) may have been given back.
func (m *master) beginRollback() {
	r, g := &m.reload, m.kept
	*r = reload{step: r.step, again: r.again, exchange: r.exchange, back: true, began: time.Now()}
	m.reloads.BegunBack()
	m.chronicle.Note(control.Event{What: "rollback begun", Generation: m.gen.number})
	m.move(asked)
	m.voice.Reloading(m.words())
	if g == nil || g.leaving {
		m.refuse(errKeptGone)
		return
	}
	m.log.Info("rollback begun", "gen", m.gen.number, "to", g.number)
	ctx, cancel := context.WithTimeout(context.Background(), bindLimit)
	defer cancel()
	p, err := m.draft(ctx, g.plan.settings, g.plan.script, g.plan.hooks)
	if err != nil {
		m.refuse(err)
		return
	}
	gt, err := m.gateOf(g, p)
	if err != nil {
		m.discard(p)
		m.refuse(err)
		return
	}
	r.next, m.kept = g, nil
	g.plan, g.gate = p, gt
	m.move(settled)
	m.wake(g)
}

// gateOf is the gateway that a kept generation returns to with the plan p.
func (m *master) gateOf(g *generation, p *plan) (*gate, error) {
	gt := m.gen.gate
	if g.acquainted() {
		// Both generations were reloaded without another gateway, and its process reads
		// their workers' replies. Files that it would read otherwise now (certificates)
		// are for the next reload.
		p.gateway = gt.plan.gateway
		return gt, nil
	}
	was, is := g.course.Load(), m.gen.course.Load()
	if !gt.foreign && gt.plan.sameGateway(p) && (was == nil || is == nil || was.iface == is.iface) {
		return gt, nil
	}
	return newGate(p)
}

// acquainted reports that the gateway has a worker of the generation.
func (g *generation) acquainted() bool {
	for _, w := range g.workers {
		if w.joined {
			return true
		}
	}
	return false
}

// wake lets a generation that was kept boot what it lacks.
func (m *master) wake(g *generation) {
	r := &m.reload
	r.limit = time.Now().Add(g.patience())
	m.thaw(g)
	g.parked, g.quiet, g.spared = false, false, false
	g.pool.Unpark()
	if g.gate == m.gen.gate {
		m.introduce(g)
	} else {
		g.gate.serves = g
	}
	m.restart(time.Now()) // its mold, if that has died
}

// introduce makes the gateway know a generation and its workers.
func (m *master) introduce(g *generation) {
	if !g.shown {
		m.showBoard(g)
	}
	for _, w := range g.workers {
		if w.canJoin() {
			m.join(w)
		}
	}
}
