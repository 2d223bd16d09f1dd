package pool

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// move takes s to the phase that follows when e happens, and tells it.
func (p *Pool) move(s *slot, e Event, now time.Duration, death *Death) {
	from, pid := s.phase, s.pid
	to, err := next(from, e)
	if err != nil {
		s.log.Error("slot move refused", "pid", pid, "error", err)
		return
	}
	if to == from {
		return
	}
	s.enter(to, now)
	s.log.Debug("slot moved", "pid", pid, "from", from, "to", to)
	if p.cfg.Changed != nil {
		p.cfg.Changed(Change{Slot: s.id, PID: pid, From: from, To: to, Death: death})
	}
}

// order asks the caller for a process.
func (p *Pool) order(s *slot, now time.Duration) {
	s.order = order{ordered: true, orderedAt: now}
	p.pending.Add(1)
	p.cfg.Spawn(s.id)
}

// answered notes that an order has its answer.
func (p *Pool) answered(s *slot) {
	if s.ordered {
		s.order = order{}
		p.pending.Add(-1)
	}
}

// forget gives up an order that nobody answered. If the answer comes after
// all, Spawned finds the slot vacant and uses it, or taken and kills it.
func (p *Pool) forget(s *slot, now time.Duration) {
	p.answered(s)
	s.notBefore = now
	s.log.Warn("spawn order expired")
}

// spawned lets a process into its slot.
func (p *Pool) spawned(f wasSpawned, now time.Duration) {
	s := p.slot(f.slot)
	if s == nil || s.phase != Vacant {
		p.adoptStray(f)
		return
	}
	early := s.early
	p.answered(s)
	proc, err := p.watch(f.pid, func(x Exit) { p.mail.post(hasEnded{slot: f.slot, exit: x}) })
	if err != nil && !gone(err) {
		s.log.Error("watch failed", "pid", f.pid, "error", err)
		p.abandon(f)
		s.notBefore = now + s.tries.failed(p.cfg.Budget)
		return
	}
	s.pid = f.pid
	p.move(s, Spawned, now, nil)
	if err != nil {
		// Somebody reaped it before we were told: a death like any other, of
		// which only the status is lost.
		p.ended(hasEnded{slot: f.slot, exit: Exit{PID: f.pid, Status: -1}}, now)
		return
	}
	s.proc = proc
	if early == f.pid {
		p.move(s, Ready, now, nil)
	}
}

// gone reports whether err of watch says that no such child exists.
func gone(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ECHILD)
}

// adoptStray takes a process that no slot has room for: the late answer to an
// order that was given again. It is killed, and reaped outside the slots.
func (p *Pool) adoptStray(f wasSpawned) {
	if s := p.slot(f.slot); s != nil && s.pid == f.pid {
		p.kin.remove(f.pid)
		s.log.Debug("spawn told twice", "pid", f.pid)
		return
	}
	log := p.log.With("slot", int(f.slot), "pid", f.pid)
	proc, err := p.watch(f.pid, func(x Exit) {
		p.mail.post(hasEnded{slot: f.slot, stray: true, exit: x})
	})
	switch {
	case err == nil:
		p.strays[f.pid] = proc
		p.kill(proc, log)
		log.Warn("surplus worker killed")
	case gone(err):
		p.kin.remove(f.pid)
	default:
		log.Error("watch of surplus worker failed", "error", err)
		p.abandon(f)
	}
}

// abandon ends a process that cannot be watched (we are out of descriptors).
// It is our child and has not been reaped, so its number is still its own. A
// killed process ends soon: this goroutine's thread is not held for long.
func (p *Pool) abandon(f wasSpawned) {
	_ = unix.Kill(f.pid, unix.SIGKILL) // ESRCH: reaped by somebody else
	go func() {
		var info siginfo
		_ = waitid(unix.P_PID, f.pid, &info, unix.WEXITED) // ECHILD: likewise
		p.kin.remove(f.pid)
	}()
}

// spawnFailed makes the slot wait before the next order.
func (p *Pool) spawnFailed(f spawnFailed, now time.Duration) {
	s := p.slot(f.slot)
	if s == nil || !s.ordered {
		p.log.Debug("late spawn failure ignored", "slot", int(f.slot), "error", f.err)
		return
	}
	p.answered(s)
	pause := s.tries.failed(p.cfg.Budget)
	s.notBefore = now + pause
	s.log.Warn("spawn failed", "pause", pause, "error", f.err)
}

// ready moves a starting worker on.
func (p *Pool) ready(f becameReady, now time.Duration) {
	s := p.slot(f.slot)
	switch {
	case s != nil && s.phase == Vacant && s.ordered:
		s.early = f.pid // two messengers: this one was faster than Spawned
	case s != nil && s.pid == f.pid && s.phase != Vacant && !s.booted:
		p.move(s, Ready, now, nil)
	default:
		p.log.Debug("late ready ignored", "slot", int(f.slot), "pid", f.pid)
	}
}

// said remembers what a starting worker said about its end.
func (p *Pool) said(f saidWhy) {
	if s := p.slot(f.slot); s != nil && s.phase != Vacant && !s.booted {
		s.said = &f.cause
		return
	}
	p.log.Debug("late failure ignored", "slot", int(f.slot), "cause", f.cause)
}

// retire asks the slot's process to leave.
func (p *Pool) retire(s *slot, now time.Duration) {
	p.move(s, Retire, now, nil)
	if err := s.proc.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("retire failed", "pid", s.pid, "error", err)
	}
}

// overdue kills the slot's process for the reason given.
func (p *Pool) overdue(s *slot, cause Cause, now time.Duration) {
	s.killedFor = cause
	p.move(s, Overdue, now, nil)
	p.kill(s.proc, s.log.With("pid", s.pid))
}

// kill sends SIGKILL. A process that is done already is on its way to us
// through the mailbox.
func (p *Pool) kill(proc process, log hclog.Logger) {
	if err := proc.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		log.Error("kill failed", "error", err)
	}
}

// ended vacates the slot of a process that was reaped, says why it ended, and
// sets when its successor may come.
func (p *Pool) ended(f hasEnded, now time.Duration) {
	p.kin.remove(f.exit.PID)
	if f.stray {
		delete(p.strays, f.exit.PID)
		return
	}
	s := p.slot(f.slot)
	p.observeSlot(s, now) // it may have taken a request since the last tick
	death := &Death{
		Slot: s.id, PID: s.pid, Cause: judge(s, f.exit, p.cfg.Statuses), Exit: f.exit,
		From: s.phase, Booted: s.booted, Lived: now - s.born,
	}
	var wasReady, pause time.Duration
	if s.booted {
		wasReady = now - s.readyAt
	}
	if death.atFault() {
		s.restarts++
		pause = s.tries.after(p.cfg.Budget, s.booted, wasReady, p.spend(now))
	}
	s.notBefore = now + pause
	p.report(s, death, pause)
	p.move(s, Reaped, now, death)
}

// spend charges a death to the budget and says so once when it is exceeded.
func (p *Pool) spend(now time.Duration) bool {
	room := p.purse.spend(p.cfg.Budget, now)
	if !room && !p.spent {
		p.log.Warn("restart budget spent", "limit", p.cfg.Budget.Restarts, "period", p.cfg.Budget.Period)
	}
	p.spent = !room
	return room
}

// report is the one line about a death.
func (p *Pool) report(s *slot, d *Death, pause time.Duration) {
	facts := []any{"pid", d.PID, "cause", d.Cause, "from", d.From, "lived", d.Lived}
	if d.Exit.Signal != 0 {
		facts = append(facts, "signal", unix.SignalName(d.Exit.Signal))
	} else {
		facts = append(facts, "status", d.Exit.Status)
	}
	if d.Exit.CoreDumped {
		facts = append(facts, "core", true)
	}
	if pause > 0 {
		facts = append(facts, "pause", pause)
	}
	level := hclog.Warn
	if d.Cause == Asked {
		level = hclog.Info
	}
	s.log.Log(level, "worker ended", facts...)
}
