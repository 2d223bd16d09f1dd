package pool

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

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
	level := hclog.Warn
	if p.rules.killing {
		level = hclog.Debug // that is what was asked for
	}
	s.log.Log(level, "spawn order expired")
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
	proc, err := p.watch(f.pid, func(x Exit) { p.mail.Post(hasEnded{slot: f.slot, exit: x}) })
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
		p.mail.Post(hasEnded{slot: f.slot, stray: true, exit: x})
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
// While it is our child and not reaped, its number is its own. A killed
// process ends soon: this goroutine's thread is not held for long.
func (p *Pool) abandon(f wasSpawned) {
	var peek siginfo
	err := waitid(unix.P_PID, f.pid, &peek, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
	if err != nil { // ECHILD: reaped by somebody else, and perhaps a stranger's number now
		p.kin.remove(f.pid)
		return
	}
	_ = unix.Kill(f.pid, unix.SIGKILL) // our child, so there is nothing it could refuse with
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
	if !p.rules.wants(s) {
		s.log.Debug("spawn given up", "error", f.err) // nobody wants the process any more
		return
	}
	s.log.Warn("spawn failed", "pause", pause, "error", f.err)
}
