package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/settings"
)

const (
	// bindLimit bounds the look-up of new addresses during a reload: the loop waits
	// for it.
	bindLimit = 5 * time.Second
	// gatewayBoot bounds the start of a new gateway.
	gatewayBoot = 30 * time.Second
)

var (
	errNoReload  = errors.New("this master cannot read its configuration again")
	errSucceeded = errors.New("the next generation serves")
	errUndone    = errors.New("the reload was given up")
)

// reload is what is known of the reload that runs, or ran last. It belongs to the
// master's loop; step.go draws its steps.
type reload struct {
	step     step
	again    bool      // another was asked for meanwhile
	exchange bool      // the next is to execute the binary, changed or not
	began    time.Time // when it was asked for
	limit    time.Time // when patience with the step ends
	why      error     // why the last one failed; nil if it did not

	trial   *child      // checking: the preflight, and until it has ended
	verdict *verdict    // what it said; nil if it said nothing
	printed *printed    // what it printed
	script  Script      // reading: the file that runs
	said    string      // reading: what the mold said when it failed
	next    *generation // raising, moving, undoing
	prior   *generation // leaving

	back      bool // to the generation that was kept: a rollback
	announced bool // leaving: the new generation has the traffic
}

// askReload begins a reload, or remembers that one was asked for. It returns its
// number in the register.
func (m *master) askReload(signal string) control.Reload {
	r := &m.reload
	if m.stage == stopping || m.farewell.Begun() {
		m.log.Info("reload not begun", "signal", signal, "reason", "the service is stopping")
		return control.Reload{}
	}
	wish := m.reloads.Asked(time.Now())
	if m.stage == booting || r.step != calm {
		r.again = true
		m.log.Info("reload put off", "signal", signal, "step", r.step)
	} else {
		m.beginReload()
	}
	known, _ := m.findReload(wish.ID)
	return known
}

// findReload looks a reload up in the register.
func (m *master) findReload(id int64) (control.Reload, bool) {
	return m.reloads.Find(id, m.reload.began, m.reload.words())
}

// beginReload looks whether the binary on disk is to be executed first, and reads the
// configuration if it is not.
func (m *master) beginReload() {
	r := &m.reload
	exchange := r.exchange
	*r = reload{step: r.step, began: time.Now()}
	m.reloads.Begun(r.began)
	m.chronicle.Note(control.Event{What: "reload begun", Generation: m.gen.number})
	if exchange || m.renewed() {
		m.move(differs)
		m.log.Info("reload begun", "gen", m.gen.number, "binary", m.path)
		m.voice.Reloading(m.words())
		m.tryBinary()
		return
	}
	m.move(asked)
	m.log.Info("reload begun", "gen", m.gen.number)
	m.voice.Reloading(m.words())
	m.read()
}

// read reads the configuration. If the file is Python's, a new mold runs it first.
func (m *master) read() {
	r := &m.reload
	r.limit = time.Now().Add(scriptLimit)
	if m.cfg.Read == nil {
		m.refuse(errNoReload)
		return
	}
	found, err := m.cfg.Read()
	switch {
	case err != nil:
		m.refuse(err)
	case found.Script.Name == "":
		m.raise(found.Settings, Script{}, nil)
	default:
		r.script = found.Script
		if m.early, err = m.startScript(found.Script); err != nil {
			m.refuse(err)
		}
	}
}

// raise makes the next generation and lets it boot beside the one that serves. Its
// gateway is the same, unless the configuration wants another.
func (m *master) raise(s *settings.Values, script Script, hooks []string) {
	ctx, cancel := context.WithTimeout(context.Background(), bindLimit)
	defer cancel()
	p, err := m.draft(ctx, s, script, hooks)
	if err != nil {
		m.refuse(err)
		return
	}
	r, gt := &m.reload, m.gen.gate
	if gt.foreign || !gt.plan.sameGateway(p) {
		gt, err = newGate(p)
	}
	if err == nil {
		r.next, err = m.newGeneration(p, gt)
	}
	if err != nil {
		if gt != nil && gt != m.gen.gate {
			gt.close()
		}
		m.discard(p)
		m.refuse(err)
		return
	}
	if gt != m.gen.gate {
		gt.serves = r.next
	}
	r.next.before = m.gen.wanted
	r.next.early, m.early = m.early, nil
	m.move(settled)
	r.limit = time.Now().Add(r.next.patience())
	m.showBoard(r.next)
	r.next.start()
	if err := m.startMold(r.next); err != nil && r.next.mold.child == nil {
		m.refuse(err)
	}
}

// patience is how long a generation may make no progress while it boots: time for
// the mold, and then for one worker after the other.
func (g *generation) patience() time.Duration {
	s := g.plan.settings
	limit := moldBoot + s.BootTimeout()
	if s.PreloadApp() {
		limit += s.BootTimeout()
	}
	return limit
}

// proceed takes the next step of a reload, if it has become possible.
func (m *master) proceed() {
	switch r := &m.reload; r.step {
	case checking: // the preflight will say
	case quieting:
		if m.quiet() {
			m.exchange()
		}
	case reading: // the mold will say
	case raising:
		if r.next.raised() {
			m.changeOver()
		}
	case moving:
		if m.letServe(r.next.gate); r.next.gate.serving {
			m.takeOver()
		}
	case leaving:
		m.announce()
		if m.sendOff(&r.prior) {
			m.log.Info(r.noun()+" done", "gen", m.gen.number, "after", time.Since(r.began).Round(time.Millisecond))
			m.move(gone)
		}
	case undoing:
		if m.early == nil && r.trial == nil && (r.next == nil || m.sendOff(&r.next)) {
			m.move(gone)
		}
	case calm:
		switch {
		case m.stage != serving || m.farewell.Begun():
		case m.reloads.Back != nil:
			m.beginRollback()
		case r.again:
			m.beginReload()
		}
	}
}

// raised reports that so many workers are ready that the generation may take over.
func (g *generation) raised() bool {
	want := g.plan.settings.ReadyWorkers()
	if want == 0 || want > g.wanted {
		want = g.wanted
	}
	return g.count().ready >= want
}

// changeOver begins to move the traffic: at once if the gateway stays, else when
// the new one accepts.
func (m *master) changeOver() {
	r := &m.reload
	m.move(raised)
	gt := r.next.gate
	if gt == m.gen.gate {
		m.takeOver()
		return
	}
	r.limit = time.Now().Add(gatewayBoot)
	if err := m.startGateway(gt); err != nil && gt.child == nil {
		m.refuse(err)
	}
}

// takeOver makes the next generation the one that serves. The one before finishes
// what it holds.
func (m *master) takeOver() {
	r := &m.reload
	prior, next := m.gen, r.next
	m.gen, r.prior, r.next = next, prior, nil
	m.move(moved)
	patience := prior.plan.settings.GracefulTimeout()
	r.limit = time.Now().Add(patience)
	m.enact(next.plan)
	m.letKeptGo("another was replaced")
	prior.stays, prior.until = !r.back && m.worth(prior), time.Time{}
	next.stays = false
	next.upright()
	if prior.gate == next.gate {
		next.gate.serves, next.gate.plan = next, next.plan
		m.tellCourse(next)
	} else {
		m.handOver(prior.gate, next.gate, patience, time.Now())
		r.limit = r.limit.Add(stragglers) // at the end of it the gateway itself takes leave of clients
	}
}

// announce says that the next generation has the traffic, once that is so: the
// gateway has confirmed it, or the one before has that it accepts no more.
func (m *master) announce() {
	r := &m.reload
	if r.announced || !m.traded(time.Now()) {
		return
	}
	r.announced = true
	m.reloads.Ended(nil, m.gen.number, r.began)
	m.chronicle.Note(control.Event{What: r.noun() + " done", Generation: m.gen.number})
	m.tolls.Reload(m.reload.began, nil)
	m.log.Info("generation took over", "gen", m.gen.number, "ready", m.gen.count().ready, "workers", m.gen.wanted,
		"same_gateway", r.prior.gate == m.gen.gate, "after", time.Since(r.began).Round(time.Millisecond))
	m.tellReady()
}

// refuse gives a reload up: what was made for it is taken back, and the generation
// that serves goes on as if nothing had been asked.
func (m *master) refuse(err error) {
	r := &m.reload
	if r.step == undoing {
		return
	}
	r.why = err
	var boot *bootFailure
	if errors.As(err, &boot) {
		m.printRaw(boot.text)
	}
	m.reloads.Ended(err, m.gen.number, r.began)
	m.chronicle.Note(control.Event{What: r.noun() + " failed", Generation: m.gen.number, Reason: err.Error()})
	m.tolls.Reload(m.reload.began, err)
	m.log.Error(r.noun()+" failed", "gen", m.gen.number, "error", err)
	m.undo()
	m.tellReady() // with the old generation, as the status says
}

// undo lets go of what was made for a reload before the new generation served.
func (m *master) undo() {
	r := &m.reload
	m.move(failed)
	for _, c := range []*child{m.early, r.trial} {
		if c != nil {
			c.hangUp()
			c.kill()
		}
	}
	r.limit = time.Now().Add(stragglers)
	if r.next == nil {
		return
	}
	m.discard(r.next.plan)
	r.next.leaving = !r.next.stays // else it is kept again
	r.limit = time.Now().Add(r.next.plan.settings.GracefulTimeout())
	if gt := r.next.gate; gt != m.gen.gate {
		m.dropGateway(gt)
	} else {
		r.next.spared = true // it was never sent anything
	}
}

// bury gives back what a generation had that is gone, and its gateway if that went
// with it.
func (m *master) bury(g **generation) {
	if *g == nil {
		return
	}
	dead := *g
	*g = nil
	dead.close()
	if dead.gate == m.gen.gate {
		m.forget(dead)
	} else if !m.shared(dead.gate, dead) {
		m.tolls.remember(dead.gate)
		dead.gate.close()
	}
}

// judgeReload ends a step that takes too long.
func (m *master) judgeReload(now time.Time) {
	r := &m.reload
	if r.next != nil && now.After(r.next.modest.until) {
		r.next.upright()
	}
	if r.step == calm || m.stage == stopping || now.Before(r.limit) {
		return
	}
	switch r.step {
	case calm:
	case checking:
		m.refuse(fmt.Errorf("%w: %s was not through within %v", errPreflight, m.path, m.preflightLimit()))
	case quieting:
		m.refuse(fmt.Errorf("processes were still being forked after %v", quietLimit))
	case reading:
		m.refuse(fmt.Errorf("%w: %s did not end within %v", ErrConfig, r.script.Name, scriptLimit))
	case raising:
		m.refuse(fmt.Errorf("%w: %d of %d workers of generation %d are ready, and no more came within %v",
			ErrBoot, r.next.count().ready, r.next.wanted, r.next.number, r.next.patience()))
	case moving:
		m.refuse(fmt.Errorf("start another gateway: it did not accept within %v", gatewayBoot))
	case leaving:
		m.hasten(r.prior, now)
	case undoing:
		if r.next != nil {
			m.hasten(r.next, now)
		}
	}
}
