package programs

import (
	"context"
	"time"

	"github.com/indrik/indrik/control"
)

// reload is the exchange of one generation for the next.
//
//	calm ─ HUP ─▶ raising ─ every new one ready ─▶ calm, the old generation leaves
//	                 └────── one cannot be started ─▶ calm, the old generation goes on
type reload struct {
	next  *generation
	began time.Time
	why   error // the last one failed
}

// askReload begins a reload, or remembers that one was asked for. It returns what the
// register has of it.
func (m *master) askReload(from string) control.Reload {
	if m.stage == stopping || m.farewell.Begun() {
		m.log.Info("reload not begun", "signal", from, "reason", "the service is stopping")
		return control.Reload{}
	}
	wish := m.reloads.Asked(time.Now())
	if m.stage == booting || m.reload.next != nil {
		m.log.Info("reload put off", "signal", from, "until", "the programs that are being started are ready")
	} else {
		m.beginReload()
	}
	known, _ := m.findReload(wish.ID)
	return known
}

// findReload looks a reload up in the register.
func (m *master) findReload(id int64) (control.Reload, bool) {
	return m.reloads.Find(id, m.reload.began, m.progress())
}

func (m *master) beginReload() {
	m.reload = reload{began: time.Now()}
	m.reloads.Begun(m.reload.began)
	m.chronicle.Note(control.Event{What: "reload begun", Generation: m.gen.number})
	m.log.Info("reload begun", "gen", m.gen.number)
	m.noteBinary()
	m.voice.Reloading("reload: reading the configuration")
	if err := m.raise(); err != nil {
		m.failReload(err)
	}
}

// raise starts the next generation.
func (m *master) raise() error {
	values := m.plan.settings
	if m.cfg.Read != nil {
		var err error
		if values, err = m.cfg.Read(); err != nil {
			return err
		}
	}
	p, err := m.draft(context.Background(), values)
	if err != nil {
		return err
	}
	wanted := p.workers()
	if p.workers() == m.plan.workers() {
		wanted = m.gen.wanted // what TTIN and TTOU have made of it stays
	}
	next, err := m.newGeneration(p, wanted, m.share(p, wanted))
	if err != nil {
		m.discard(p)
		return err
	}
	next.told = m.gen.told && p.path == m.plan.path
	m.reload.next = next
	next.start(m.post)
	return nil
}

// surge is how many programs more than workers may run at a reload to p.
func surge(p *plan, wanted int) int {
	if n := p.settings.ExecSurge(); n > 0 {
		return min(n, wanted)
	}
	return wanted
}

// share is how many workers the next generation may begin with.
func (m *master) share(p *plan, wanted int) int {
	if p.settings.ExecSurge() == 0 {
		return wanted
	}
	room := max(wanted, m.gen.wanted) + surge(p, wanted) - m.gen.count().occupied
	return min(max(room, 1), wanted)
}

// proceed takes the next step of a reload, if it has become possible.
//
// Without a surge of its own all new programs are started at once, and the old ones
// leave when enough of the new are ready. With one, each new program that is ready
// takes the place of an old one, and the next is started when that has left.
func (m *master) proceed() {
	next := m.reload.next
	if next == nil {
		if m.reloads.Queued != nil && m.stage == serving {
			m.beginReload()
		}
		return
	}
	t := next.count()
	enough := next.wanted
	if ready := next.plan.settings.ReadyWorkers(); ready > 0 && next.plan.settings.ExecSurge() == 0 {
		enough = min(ready, enough)
	}
	if t.ready >= enough {
		m.change()
		return
	}
	if next.plan.settings.ExecSurge() == 0 {
		next.resize(next.wanted)
		return
	}
	m.gen.resize(m.gen.wanted - t.ready)
	room := max(next.wanted, m.gen.wanted) + surge(next.plan, next.wanted) - m.gen.count().occupied
	next.resize(min(max(next.size, room), next.wanted))
}

// change puts the next generation in the place of the one that serves.
func (m *master) change() {
	old, next := m.gen, m.reload.next
	began := m.reload.began
	m.gen, m.reload = next, reload{}
	old.replaced = began
	m.old = append(m.old, old)
	m.enact(next.plan)
	next.resize(next.wanted)
	old.leave(errReplaced)
	m.reloads.Ended(nil, next.number, began)
	m.tolls.Reload(began, nil)
	m.chronicle.Note(control.Event{What: "reload done", Generation: next.number})
	m.tellReady()
	m.log.Info("generation took over", "gen", next.number, "workers", next.wanted, "after", time.Since(began).Round(time.Millisecond))
}

// failReload goes back to the generation that serves.
func (m *master) failReload(why error) {
	m.log.Error("reload failed", "error", why, "gen", m.gen.number, "after", time.Since(m.reload.began).Round(time.Millisecond))
	m.reloads.Ended(why, m.gen.number, m.reload.began)
	m.tolls.Reload(m.reload.began, why)
	m.chronicle.Note(control.Event{What: "reload failed", Generation: m.gen.number, Reason: why.Error()})
	if m.reload.next != nil {
		m.undo()
	}
	m.reload = reload{why: why}
	m.tellReady()
}

// undo ends the next generation, which has never served alone.
func (m *master) undo() {
	next := m.reload.next
	m.reload.next = nil
	m.old = append(m.old, next)
	next.leave(errReplaced)
	m.discard(next.plan)
	m.gen.resize(m.gen.wanted)
}
