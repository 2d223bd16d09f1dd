package pool

import (
	"context"
	"errors"
	"time"
)

// ErrRan reports that Run was called for the second time.
var ErrRan = errors.New("pool has run already")

// Run owns the slots until ctx ends or Kill is called. Then it retires every
// worker, kills those that have not left within Limits.Grace, and returns nil
// when the last process has been reaped. The cause of ctx is logged. After
// [Pool.Suspend] it returns [ErrSuspended] and every worker lives. A pool
// runs once; a second call returns [ErrRan].
func (p *Pool) Run(ctx context.Context) error {
	if p.ran.Swap(true) {
		return ErrRan
	}
	defer close(p.done)
	defer p.mail.Close()
	stop := ctx.Done()
	p.watchResumed(p.clocks().mono)
	alarm := time.NewTimer(0) // fires at once: the first round fills the slots
	defer alarm.Stop()
	for p.rules.serving || p.held() {
		select {
		case <-stop:
			stop = nil // heard once; a nil channel never fires again
		case <-p.mail.Wake():
		case <-alarm.C:
		}
		clocks := p.clocks()
		now := clocks.mono
		p.forgive(clocks)
		if ctx.Err() != nil { // asked here, so that a pool whose ctx ended before it began orders nothing
			p.drain(context.Cause(ctx))
		}
		for _, fact := range p.mail.Take() {
			p.heard(fact, now)
		}
		if p.asked != nil {
			p.asked <- p.letGo(now)
			return ErrSuspended
		}
		p.observe(now)
		p.settle(now)
		alarm.Reset(p.nextWake(clocks))
	}
	return nil
}

// held reports whether anything is left to wait for: a process, or an order
// that may still bring one.
func (p *Pool) held() bool {
	for _, s := range p.slots {
		if s.phase != Vacant || s.ordered {
			return true
		}
	}
	return len(p.strays) > 0
}

// drain makes no slot wanted any more; settle does the rest.
func (p *Pool) drain(cause error) {
	if !p.rules.serving {
		return // heard before, or killed already
	}
	p.rules.serving = false
	p.drained = cause.Error()
	p.log.Info("pool draining", "cause", cause)
}

// forgive gives every deadline a fresh start if the owner was stopped: the
// workers may have been stopped with it, and what they told us meanwhile has
// not been read.
func (p *Pool) forgive(now instants) {
	if lost := p.sleeper.lost(now); lost > 0 {
		p.rules.fresh = now.mono
		p.log.Warn("pool was stopped", "after", lost)
	}
}

// heard takes one note from the mailbox.
func (p *Pool) heard(fact any, now time.Duration) {
	switch f := fact.(type) {
	case wasSpawned:
		p.spawned(f, now)
	case spawnFailed:
		p.spawnFailed(f, now)
	case becameReady:
		p.ready(f, now)
	case saidWhy:
		p.said(f)
	case hasEnded:
		p.ended(f, now)
	case resizeTo:
		p.resize(f.size)
	case retireSlot:
		if s := p.slot(f.slot); s != nil && s.phase != Vacant && (f.pid == 0 || f.pid == s.pid) {
			s.unwanted = true
			if s.why == "" { // else it asks for what was asked of it
				s.why = f.why
			}
		}
	case replaceSlot:
		p.queueUp(f)
	case dismissSlot:
		if s := p.slot(f.slot); s != nil && s.pid == f.pid && s.phase != Vacant && s.phase != Killed { // also one that is being aborted
			p.overdue(s, f.cause, now)
		}
	case extendSlot:
		if s := p.slot(f.slot); s != nil && s.pid == f.pid {
			s.extended = max(s.extended, now+f.by)
		}
	case killAll:
		p.rules.serving, p.rules.killing = false, true
		for _, proc := range p.strays {
			p.kill(proc, p.log)
		}
	case signalAll:
		p.signal(f.sig)
	case signalOne:
		if s := p.slot(f.slot); s != nil && s.pid == f.pid && s.phase != Vacant {
			p.tell(s, f.sig)
		}
	case suspend:
		if p.rules.serving {
			p.asked = f.answer
		} else {
			close(f.answer)
		}
	case parkAll:
		if p.rules.parked && !f.parked {
			p.rules.fresh = now
		}
		p.rules.parked, p.rules.still = f.parked, f.still
	case describe:
		f.answer <- p.states(now)
	}
}

// observe reads what the workers that can hold a request say about
// themselves.
func (p *Pool) observe(now time.Duration) {
	for _, s := range p.slots {
		p.observeSlot(s, now)
	}
}

func (p *Pool) observeSlot(s *slot, now time.Duration) {
	if p.cfg.Activity == nil || s.phase != Idle && s.phase != Busy && s.phase != Draining {
		return
	}
	s.act = p.cfg.Activity(s.id)
	switch {
	case s.phase == Idle && s.act.Busy:
		p.move(s, Taken, now, nil)
	case s.phase == Busy && !s.act.Busy:
		p.move(s, Returned, now, nil)
	}
}

// settle decides about every slot and carries it out.
func (p *Pool) settle(now time.Duration) {
	p.replaceAged(now)
	p.succeed()
	p.rules.coming = 0
	for _, s := range p.slots {
		if s.ordered || s.phase == Starting {
			p.rules.coming++
		}
	}
	for _, s := range p.slots {
		switch v := p.rules.decide(s, now); v.do {
		case rest:
		case spawn:
			p.rules.coming++
			p.order(s, now)
		case forget:
			p.forget(s, now)
		case retire:
			p.retire(s, now)
		case abort:
			p.abort(s, v.cause, now)
		case kill:
			p.overdue(s, v.cause, now)
		}
	}
}

// nextWake says how long the owner may sleep, and notes what it asked for.
func (p *Pool) nextWake(now instants) time.Duration {
	wake := now.mono + p.rules.limits.tick()
	for _, s := range p.slots {
		if at := p.rules.due(s); at != 0 {
			wake = min(wake, at)
		}
	}
	wake = max(wake, now.mono)
	p.sleeper.ask(now, wake)
	return wake - now.mono
}

// states describes the slots for Snapshot.
func (p *Pool) states(now time.Duration) []SlotState {
	states := make([]SlotState, 0, len(p.slots))
	for _, s := range p.slots {
		if s.phase == Vacant && !s.ordered && s.surplus {
			continue
		}
		state := SlotState{
			Slot: s.id, Phase: s.phase, PID: s.pid, For: now - s.entered,
			Ordered: s.ordered, Restarts: s.restarts,
		}
		if s.phase == Vacant && !s.ordered {
			state.Wait = max(0, s.notBefore-now)
		}
		states = append(states, state)
	}
	return states
}

// slot finds a slot by its number; nil if there is none.
func (p *Pool) slot(id SlotID) *slot {
	if id < 0 || int(id) >= len(p.slots) {
		return nil
	}
	return p.slots[id]
}

// newSlot makes the slot that follows the last, which is to hold no worker yet. Slots
// are never thrown away: one in surplus stays vacant and remembers its workers'
// failures.
func (p *Pool) newSlot() *slot {
	id := SlotID(len(p.slots))
	s := &slot{id: id, log: p.log.With("slot", int(id)), surplus: true}
	p.slots = append(p.slots, s)
	return s
}
