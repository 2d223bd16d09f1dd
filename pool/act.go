package pool

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
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
	if e == Ready && to == Idle {
		s.oldAt = p.rules.limits.oldAt(now)
	}
	s.log.Debug("slot moved", "pid", pid, "from", from, "to", to)
	if p.cfg.Changed != nil {
		p.cfg.Changed(Change{Slot: s.id, PID: pid, From: from, To: to, Death: death})
	}
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
	if s.why == "" {
		s.why = p.whyRetired(s)
	}
	p.move(s, Retire, now, nil)
	if err := s.proc.Signal(p.cfg.StopSignal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("retire failed", "pid", s.pid, "error", err)
	}
}

// whyRetired says why a worker is asked to leave for which nobody gave a reason.
func (p *Pool) whyRetired(s *slot) string {
	switch {
	case !p.rules.serving:
		return p.drained
	case s.surplus:
		return "fewer workers wanted"
	default:
		return ""
	}
}

// abort lets the slot's process say where it stands, and end.
func (p *Pool) abort(s *slot, cause Cause, now time.Duration) {
	s.killedFor = cause
	p.move(s, Aborted, now, nil)
	if err := s.proc.Signal(syscall.SIGABRT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("abort failed", "pid", s.pid, "error", err)
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

// signal sends sig to the processes of all slots.
func (p *Pool) signal(sig syscall.Signal) {
	for _, s := range p.slots {
		if s.phase != Vacant && s.phase != Killed {
			p.tell(s, sig)
		}
	}
}

// tell sends sig to the process of a slot that holds one.
func (p *Pool) tell(s *slot, sig syscall.Signal) {
	if err := s.proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Error("signal not sent", "pid", s.pid, "signal", sig, "error", err)
	}
}
