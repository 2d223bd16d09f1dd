package master

import (
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// Exit statuses by which a worker that was never ready says why: see
// docs/protocol.md.
const (
	statusBoot = 3
	statusLoad = 4
)

// cause is the word of the pool for the failure.
func (f *bootFailure) cause() pool.Cause {
	if f.kind == ErrLoad {
		return pool.LoadFailed
	}
	return pool.BootFailed
}

// workerSaid hears a worker's report.
func (m *master) workerSaid(w *worker, msg dispatch.Tuple) {
	switch word(msg) {
	case "ready":
		m.workerReady(w, msg)
	case "leaving":
		m.workerLeaving(w, text(msg, 1))
	case "changed":
		m.filesChanged(w, texts(msg, 1))
	case "tasks":
		w.tasksTold(int64(number(msg, 1)), text(msg, 2))
	case "failed":
		m.workerFailed(w, text(msg, 1), text(msg, 2))
	default:
		m.log.Error("worker not understood", "slot", int(w.slot), "pid", w.pid, "message", word(msg))
	}
}

// workerFailed hears why a worker cannot boot. Of a generation that never served it
// is the end: the same would happen to the next worker.
func (m *master) workerFailed(w *worker, stage, report string) {
	app := m.app(w.gen.plan)
	w.failure = &bootFailure{kind: ErrBoot, what: "boot " + app, reason: lastLine(report), text: report}
	if stage == "load" {
		w.failure.kind, w.failure.what = ErrLoad, "load "+app
	}
	w.gen.adopt(w)
	if w.pid != 0 {
		w.gen.pool.Failed(w.slot, w.failure.cause())
	}
	switch {
	case m.rising(w.gen):
		m.giveUp(w.gen, w.failure)
	case m.stage != stopping && !w.gen.leaving: // else the first to fail has said it
		m.log.Error("worker failed to boot", "slot", int(w.slot), "pid", w.pid, "reason", w.failure.reason)
		m.printRaw(report)
	}
}

// rising reports that g has yet to prove that it can serve: the first generation
// until the service is ready, that of a reload until it takes over.
func (m *master) rising(g *generation) bool {
	return m.stage == booting && g == m.gen || m.reload.step == raising && g == m.reload.next && !g.leaving
}

// giveUp ends a rising generation, and the service with it if it is the first.
func (m *master) giveUp(g *generation, err error) {
	if g == m.gen {
		m.fail(err)
	} else {
		m.refuse(err)
	}
}

// workerHungUp hears that the worker's report socket is at its end.
func (m *master) workerHungUp(w *worker) {
	w.silent = true
	_ = w.report.Close() // read side; nothing to lose
	w.gen.adopt(w)
	m.judgeBoot(w)
}

// slotMoved hears the pool.
func (m *master) slotMoved(g *generation, c pool.Change) {
	w, there := g.workers[c.Slot]
	if !there || w.pid != c.PID {
		return // a stray, which the pool ended by itself
	}
	w.phase = c.To
	if c.To == pool.Draining {
		m.releaseOwn(w)
	}
	if w.canJoin() {
		m.join(w)
	}
	if c.Death != nil {
		m.workerEnded(w, c.Death)
	}
}

// workerEnded names the dead worker's requests to the gateway, and makes its
// place ready for the next.
func (m *master) workerEnded(w *worker, d *pool.Death) {
	w.death = d
	m.chronicle.Buried(w.gen.number, d)
	m.tolls.End(d.Cause.String())
	m.callHook(w.gen, "child_exit", "reaped", int64(w.pid))
	m.markDead(w, d)
	m.obituaries.asked(w.pid, m.leave(w, d, w.gen.held(w.slot)))
	m.parts.Died(w.part(), int(w.slot))
	w.gen.clear(w.slot)
	w.gen.forget(w)
	if !w.silent {
		// Its last words may be on their way. Whoever inherited the socket could
		// hold it open, so they are not waited for without limit.
		time.AfterFunc(lastWords, func() { m.post(workerHungUp{w}) })
		return
	}
	m.judgeBoot(w)
}

// judgeBoot ends a generation that never served when one of its workers died
// before it was ready.
func (m *master) judgeBoot(w *worker) {
	if !m.rising(w.gen) || w.death == nil || w.death.Booted || w.death.Cause == pool.Asked {
		return
	}
	f := w.failure
	if f == nil {
		app, limit := m.app(w.gen.plan), w.gen.plan.settings.BootTimeout()
		f = &bootFailure{kind: ErrBoot, what: "boot " + app, reason: "worker " + bootDeath(w.death, limit)}
		if w.death.Cause == pool.LoadFailed {
			f.kind, f.what = ErrLoad, "load "+app
		}
	}
	m.giveUp(w.gen, f)
}

// bootDeath says how a worker died that told nothing about it.
func bootDeath(d *pool.Death, limit time.Duration) string {
	if d.Cause == pool.NeverReady {
		return fmt.Sprintf("was not ready within %v", limit)
	}
	switch {
	case d.Exit.Signal != 0:
		return "was killed by " + unix.SignalName(d.Exit.Signal) + " before it was ready"
	default:
		return fmt.Sprintf("ended with status %d before it was ready", d.Exit.Status)
	}
}

// printRaw writes what a worker said as it is, a traceback as a rule: people
// and their tools read those line by line.
func (m *master) printRaw(report string) {
	var to io.Writer = m.cfg.Logs
	if m.cfg.Logs == nil {
		to = m.cfg.Stderr
	}
	if report == "" || m.cfg.Logs == nil && m.cfg.Stderr == nil {
		return
	}
	if report[len(report)-1] != '\n' {
		report += "\n"
	}
	_, _ = io.WriteString(to, report) // if stderr is gone there is nobody to tell
}

// sweep reaps what workers left behind: we are child subreaper, so their
// orphans became our children. While a worker is being forked nothing is
// reaped, for it is our child before we know its number.
func (m *master) sweep() {
	for _, g := range m.generations() {
		if g.pool.SpawnPending() {
			return
		}
	}
	for _, x := range pool.SweepOrphans(m.knows) {
		m.log.Debug("orphan reaped", "pid", x.PID, "status", x.Status)
	}
}

// knows reports whether somebody waits for pid.
func (m *master) knows(pid int) bool {
	for _, c := range m.children() {
		if c.pid == pid {
			return true
		}
	}
	return slices.ContainsFunc(m.generations(), func(g *generation) bool { return g.pool.Knows(pid) })
}

// children are the processes that we started ourselves.
func (m *master) children() (all []*child) {
	for _, c := range []*child{m.early, m.reload.trial} {
		if c != nil {
			all = append(all, c)
		}
	}
	for _, gt := range m.gates() {
		if gt.child != nil {
			all = append(all, gt.child)
		}
	}
	for _, g := range m.generations() {
		if g.mold.child != nil {
			all = append(all, g.mold.child)
		}
	}
	return all
}
