package pool

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrSuspended is what Run returns after Suspend: the workers live and nobody
	// watches them.
	ErrSuspended = errors.New("pool was suspended")
	// ErrEnding reports that a pool cannot be suspended, because it ends or has
	// ended.
	ErrEnding = errors.New("pool is ending")
)

// State is all that a pool knows of its workers: [Pool.Suspend] returns it, and
// [Resume] goes on with it, in the same process or in the image that was executed
// in its place. It may be written down as JSON. Instants are on CLOCK_MONOTONIC, as
// time since that clock's zero, and so have a meaning until the machine is restarted.
type State struct {
	Slots  []Held          `json:"slots"`
	Deaths []time.Duration `json:"deaths"` // that the budget remembers, oldest first
	Spent  bool            `json:"spent"`  // the last of them was past it
}

// Held is a slot of a State. The fields after Pauses are of its worker, and zero
// if it has none.
type Held struct {
	Slot      SlotID        `json:"slot"`
	Phase     Phase         `json:"phase"`
	NotBefore time.Duration `json:"not_before"` // a vacant slot waits until then
	Restarts  uint64        `json:"restarts"`
	Missed    bool          `json:"missed"` // its last worker died before it was ready
	Pauses    int           `json:"pauses"` // waits in a row
	// Surplus: it is to hold no worker. That includes the slot of a successor that was
	// not ready: replacements (Pool.Replace) are forgotten, those for age begin again.
	Surplus bool `json:"surplus,omitempty"`

	PID       int           `json:"pid,omitempty"`
	Entered   time.Duration `json:"entered,omitempty"` // when the phase began
	Born      time.Duration `json:"born,omitempty"`
	Booted    bool          `json:"booted,omitempty"`
	ReadyAt   time.Duration `json:"ready_at,omitempty"`
	Said      *Cause        `json:"said,omitempty"` // what it said about its end
	KilledFor Cause         `json:"killed_for,omitempty"`
	Unwanted  bool          `json:"unwanted,omitempty"` // it is to be replaced
	Why       string        `json:"why,omitempty"`      // it was asked to leave
	OldAt     time.Duration `json:"old_at,omitempty"`   // when Limits.Age is over
	Extended  time.Duration `json:"extended,omitempty"` // no deadline of this phase is before it
}

// Suspend makes Run return [ErrSuspended] and the pool let go of its workers, which
// notice nothing: they are neither signalled nor reaped. Deaths of which the pool
// learns while it lets go are in the State and were told to Config.Changed. What the
// pool is told later is lost.
//
// Orders to spawn that have no answer are forgotten; the pool that is made of the
// State gives them again. The caller sees to it that no process comes of the old ones.
//
// Call it while Run runs. The error is [ErrEnding] if the pool drains or has ended.
func (p *Pool) Suspend() (State, error) {
	answer := make(chan State, 1)
	if !p.mail.Post(suspend{answer}) {
		return State{}, ErrEnding
	}
	select {
	case s, ok := <-answer:
		if !ok {
			return State{}, ErrEnding
		}
		return s, nil
	case <-p.done:
	}
	select {
	case s := <-answer: // and Run returned
		return s, nil
	default:
		return State{}, ErrEnding // the question came in its last round
	}
}

// letGo stops watching and says what is known then.
func (p *Pool) letGo(now time.Duration) State {
	for {
		for _, s := range p.slots {
			if s.proc != nil {
				s.proc.Release()
			}
		}
		for _, proc := range p.strays {
			proc.Release()
		}
		facts := p.mail.Take() // ends of those that were faster
		if len(facts) == 0 {
			return p.state()
		}
		for _, f := range facts {
			p.heard(f, now)
		}
	}
}

// state writes the slots down.
func (p *Pool) state() State {
	st := State{Deaths: slices.Clone(p.purse.deaths), Spent: p.spent}
	for _, s := range p.slots {
		st.Slots = append(st.Slots, Held{
			Slot: s.id, Phase: s.phase, NotBefore: s.notBefore, Restarts: s.restarts,
			Missed: s.missed, Pauses: s.pauses, Surplus: s.surplus || p.coming(s),
			PID: s.pid, Entered: s.entered, Born: s.born, Booted: s.booted, ReadyAt: s.readyAt,
			Said: s.said, KilledFor: s.killedFor, Unwanted: s.unwanted, Extended: s.extended,
			Why: s.why, OldAt: s.oldAt,
		})
	}
	return st
}

// Resume makes a pool that goes on where another was suspended. The workers must
// still be children of this process; one that ended meanwhile is found dead, and one
// that somebody else has reaped counts as dead too. The number of slots is that of
// cfg: if there are more workers, those in the highest slots are retired. Config.Changed is told of what changes from now
// on.
//
// Workers that the suspended pool was killing without having a slot for them are not
// in its State; [SweepOrphans] reaps them.
func Resume(cfg Config, st State) (*Pool, error) {
	p, err := New(cfg)
	if err != nil {
		return nil, err
	}
	taken := make(map[SlotID]bool, len(st.Slots))
	for _, h := range st.Slots {
		if err := h.check(); err != nil || taken[h.Slot] {
			return nil, fmt.Errorf("resume slot %d of a pool, in phase %v, process %d: %w", h.Slot, h.Phase, h.PID, errors.Join(errBadState, err))
		}
		taken[h.Slot] = true
		for len(p.slots) <= int(h.Slot) {
			p.newSlot()
		}
		p.slots[h.Slot].hold(h)
		if h.PID != 0 {
			p.kin.add(h.PID)
		}
	}
	p.resize(cfg.Size)
	p.purse.deaths, p.spent = slices.Clone(st.Deaths), st.Spent
	return p, nil
}

var errBadState = errors.New("no pool wrote this")

func (h Held) check() error {
	switch {
	case h.Slot < 0 || h.Slot > MaxSize: // one more than may be wanted, for a successor
		return fmt.Errorf("slots are 0 to %d", MaxSize)
	case (h.Phase == Vacant) != (h.PID == 0) || h.PID == 1 || h.PID < 0:
		return errors.New("a slot has a process or is vacant")
	case h.Phase >= numPhases || h.KilledFor >= numCauses:
		return errors.New("no such phase or cause")
	}
	return nil
}

// hold is what a slot was before the pool was suspended. It has no process to signal
// until watchResumed.
func (s *slot) hold(h Held) {
	s.surplus, s.notBefore, s.restarts = h.Surplus, h.NotBefore, h.Restarts
	s.tries = tries{missed: h.Missed, pauses: h.Pauses}
	s.life = life{
		phase: h.Phase, entered: h.Entered, pid: h.PID, born: h.Born, booted: h.Booted, readyAt: h.ReadyAt,
		said: h.Said, killedFor: h.KilledFor, unwanted: h.Unwanted, extended: h.Extended,
		why: h.Why, oldAt: h.OldAt,
	}
}

// watchResumed begins to watch the workers that were there before Run.
func (p *Pool) watchResumed(now time.Duration) {
	for _, s := range p.slots {
		if s.phase == Vacant {
			continue
		}
		proc, err := p.watch(s.pid, func(x Exit) { p.mail.Post(hasEnded{slot: s.id, exit: x}) })
		if err == nil {
			s.proc = proc
			continue
		}
		if !gone(err) {
			s.log.Error("watch failed", "pid", s.pid, "error", err)
			p.abandon(wasSpawned{s.id, s.pid})
			p.kin.add(s.pid) // abandon and ended each take it away once
		}
		p.ended(hasEnded{slot: s.id, exit: Exit{PID: s.pid, Status: -1}}, now)
	}
}

// MarshalText is String, so that what is written down does not depend on the order
// of the constants.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Phase) UnmarshalText(text []byte) error {
	for phase := range numPhases {
		if phase.String() == string(text) {
			*p = phase
			return nil
		}
	}
	return fmt.Errorf("no phase is called %q", text)
}

// MarshalText is String.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Cause) UnmarshalText(text []byte) error {
	for cause := range numCauses {
		if cause.String() == string(text) {
			*c = cause
			return nil
		}
	}
	return fmt.Errorf("no cause is called %q", text)
}
