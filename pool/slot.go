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
	// of it, and counts as Asked. Why says for what reason, for the log.
	Leaving bool
	Why     string
}

// Limits are how long a worker may stay in a phase before it is killed. Zero
// means no limit. Beat, Busy and Request need Config.Activity.
type Limits struct {
	Boot    time.Duration // from Spawned to Ready
	Busy    time.Duration // one request, unless the worker is Concurrent
	Request time.Duration // one request of any worker, also of one that drains
	Grace   time.Duration // from being retired to its end
	Beat    time.Duration // silence while idle, or at any time if Concurrent
	// Abort is how long a worker that missed a deadline has between SIGABRT and
	// SIGKILL, to write down where it stands; with 0 it gets no SIGABRT. One that did
	// not leave within Grace gets none either: it may be at honest work.
	Abort time.Duration
	// Age is how long a worker may have been ready before it is replaced, as by
	// [Pool.Replace]; to each worker's a random part of AgeJitter is added.
	Age, AgeJitter time.Duration
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
	surplus   bool          // it is to hold no worker
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
	killedFor Cause         // valid in Aborting and Killed
	unwanted  bool          // it is to be replaced
	why       string        // for what reason it was asked to leave
	oldAt     time.Duration // when Limits.Age is over; 0: never
	replaced  bool          // it was asked to be replaced for its age
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
	case Aborting:
		limit, since, cause = l.Abort, s.entered, s.killedFor
	case Vacant, Killed: // nothing to wait for; nothing stronger is left
	}
	var at time.Duration
	if limit != 0 {
		at = max(since, fresh) + limit
	}
	if hard := s.requestDue(l, fresh); hard != 0 && (at == 0 || hard < at) {
		at, cause = hard, Overran
	}
	if at == 0 {
		return 0, cause
	}
	return max(at, s.extended), cause
}

// requestDue is when the oldest request in hand exceeds Limits.Request; 0 if that
// is never. A worker that is on its way out holds requests too.
func (s *slot) requestDue(l Limits, fresh time.Duration) time.Duration {
	if l.Request == 0 || !s.act.Busy || s.phase != Busy && s.phase != Draining {
		return 0
	}
	return max(s.act.Since, s.readyAt, fresh) + l.Request
}
