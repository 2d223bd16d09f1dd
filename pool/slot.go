package pool

import (
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// SlotID is the stable number of a place for a worker, from 0 to one less
// than the size of the pool. It outlives the workers that hold it.
type SlotID int

// Activity is what a worker last wrote about itself. Instants are on
// CLOCK_MONOTONIC, as time since that clock's zero.
type Activity struct {
	Beat  time.Duration // its last sign of life; 0 means none yet
	Busy  bool          // it holds a request
	Since time.Duration // if Busy: when that request began
	// Concurrent says that it beats also while it is busy, as a worker does that
	// takes several requests at a time: Limits.Beat then bounds its silence in
	// every phase, and Limits.Busy bounds nothing.
	Concurrent bool
	// Leaving says that it ends of its own accord, as it should: that is no fault
	// of it, and counts as Asked.
	Leaving bool
}

// Limits are how long a worker may stay in a phase before it is killed. Zero
// means no limit. Beat and Busy need Config.Activity.
type Limits struct {
	Boot  time.Duration // from Spawned to Ready
	Busy  time.Duration // one request, unless the worker is Concurrent
	Grace time.Duration // from being retired to its end
	Beat  time.Duration // silence while idle, or at any time if Concurrent
}

// process is what a slot needs of a [Process]; tests of the pure part have
// another.
type process interface {
	Signal(sig syscall.Signal) error
	Release() bool
}

// slot is one place for a worker. Only the owner's goroutine touches it.
type slot struct {
	id  SlotID
	log hclog.Logger
	life
	order
	tries
	notBefore time.Duration // a vacant slot waits until then
	restarts  uint64        // deaths that were its workers' fault
}

// life is what a slot knows of the process it holds. It is zero while the slot
// is vacant.
type life struct {
	phase     Phase
	entered   time.Duration // when the phase began
	pid       int
	proc      process
	born      time.Duration
	booted    bool // it became ready
	readyAt   time.Duration
	said      *Cause        // what it said about its end, before the end
	killedFor Cause         // valid in Killed
	unwanted  bool          // it is to be replaced
	extended  time.Duration // no deadline of this phase is before it
	act       Activity
}

// order is an order to spawn that has not been answered.
type order struct {
	ordered   bool
	orderedAt time.Duration
	early     int // the pid that said ready before its spawn was told
}

// enter is the only code that writes slot.phase, but for Resume. Whatever must be true in a
// phase is made true here. Entering the phase a slot is in already does
// nothing: a late message must not buy a draining worker more time.
//
// Deadlines are not kept: deadline derives them.
func (s *slot) enter(to Phase, now time.Duration) {
	if to == s.phase {
		return
	}
	if to == Vacant {
		s.life = life{entered: now}
		return
	}
	s.phase, s.entered, s.extended = to, now, 0
	switch to {
	case Starting:
		s.born = now
		s.order = order{}
	case Idle:
		if !s.booted {
			s.booted, s.readyAt = true, now
			s.said = nil // it is ready after all
		}
	}
}

// deadline is the instant at which the process is overdue in the phase it is
// in, and the cause its death will then have. 0 means never. No deadline
// counts time before fresh, the last instant at which the owner woke from
// being stopped.
func (s *slot) deadline(l Limits, fresh time.Duration) (time.Duration, Cause) {
	var limit, since time.Duration
	var cause Cause
	switch s.phase {
	case Starting:
		limit, since, cause = l.Boot, s.entered, NeverReady
	case Idle:
		limit, since, cause = l.Beat, max(s.entered, s.act.Beat), Silent
	case Busy:
		if s.act.Concurrent {
			limit, since, cause = l.Beat, max(s.readyAt, s.act.Beat), Silent
			break
		}
		limit, since, cause = l.Busy, s.act.Since, Overran
		if since == 0 || since < s.readyAt { // unknown, or it cannot be: then from when we saw it
			since = s.entered
		}
	case Draining:
		limit, since, cause = l.Grace, s.entered, Deaf
	case Vacant, Killed: // nothing to wait for; nothing stronger is left
	}
	if limit == 0 {
		return 0, cause
	}
	return max(max(since, fresh)+limit, s.extended), cause
}
