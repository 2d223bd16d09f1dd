package pool

import (
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

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
		Slot: s.id, PID: s.pid, Cause: judge(s, f.exit, p.cfg.StopSignal, p.cfg.Statuses), Exit: f.exit,
		From: s.phase, Booted: s.booted, Lived: now - s.born, Reason: s.why,
	}
	if death.Reason == "" && s.act.Leaving {
		death.Reason = s.act.Why
	}
	if p.cfg.Explain != nil {
		p.cfg.Explain(death)
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
	if write := p.line(s, death, pause); p.cfg.Report != nil {
		p.cfg.Report(death, write)
	} else {
		write()
	}
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

// line returns what writes the one line about a death, with what is added to it.
func (p *Pool) line(s *slot, d *Death, pause time.Duration) (write func(more ...any)) {
	facts := []any{"pid", d.PID, "cause", d.Cause, "from", d.From, "lived", d.Lived}
	if d.Reason != "" {
		facts = append(facts, "reason", d.Reason)
	}
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
	facts = append(facts, d.Facts...)
	level := hclog.Warn
	if d.Cause == Asked || d.From == Draining && !d.Booted {
		level = hclog.Info // whatever kept one from booting that is not wanted any more
	}
	log := s.log
	return func(more ...any) { log.Log(level, "worker ended", append(facts, more...)...) }
}
