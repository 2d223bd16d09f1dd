package pool

import "time"

// rules is all that the pool's decisions depend on beside the slots and the
// time. The functions here decide and do nothing; act.go, spawn.go and reap.go carry out.
type rules struct {
	serving bool
	killing bool
	parked  bool // no worker is ordered
	still   bool // idle workers may be frozen
	limits  Limits
	fresh   time.Duration // no deadline counts time before it
	atOnce  int           // workers that may be on their way at a time; 0: any number
	coming  int           // how many are
}

// action is what to do about a slot.
type action uint8

const (
	rest   action = iota // nothing
	spawn                // order a process
	forget               // give up an order nobody answered
	retire               // ask the process to leave
	abort                // let it say where it stands, and end
	kill                 // end it
)

// verdict is an action and, for kill, its reason.
type verdict struct {
	do    action
	cause Cause
}

const (
	// orderLimit is how long an order to spawn may go unanswered if
	// Limits.Boot does not say.
	orderLimit = 30 * time.Second
	// orderLimitKilling replaces it once everything is to be killed.
	orderLimitKilling = time.Second
)

// wants reports whether the slot is to hold a worker.
func (r rules) wants(s *slot) bool { return r.serving && !s.surplus }

// room reports whether one more worker may be on its way.
func (r rules) room() bool { return !r.parked && (r.atOnce == 0 || r.coming < r.atOnce) }

// orderDue is when an order given to s counts as lost. A pool that drains
// waits no longer for it than for a worker that leaves.
func (r rules) orderDue(s *slot) time.Duration {
	limit := orderLimit
	if r.limits.Boot > 0 {
		limit = r.limits.Boot
	}
	if !r.serving && r.limits.Grace > 0 {
		limit = min(limit, r.limits.Grace)
	}
	if r.killing {
		limit = min(limit, orderLimitKilling)
	}
	return max(s.orderedAt, r.fresh) + limit
}

// decide says what is to be done about s at now.
func (r rules) decide(s *slot, now time.Duration) verdict {
	switch s.phase {
	case Vacant:
		switch {
		case s.ordered && now >= r.orderDue(s):
			return verdict{do: forget}
		case !s.ordered && r.wants(s) && now >= s.notBefore && r.room():
			return verdict{do: spawn}
		}
	case Killed: // wait for the reap
	default:
		if r.killing {
			return verdict{do: kill, cause: r.killedFor(s)}
		}
		if r.rests(s) {
			break
		}
		if at, cause := s.deadline(r.limits, r.fresh); at != 0 && now >= at {
			if s.phase == Aborting || cause == Deaf || r.limits.Abort == 0 {
				return verdict{do: kill, cause: cause}
			}
			return verdict{do: abort, cause: cause}
		}
		if s.phase != Draining && s.phase != Aborting && (s.unwanted || !r.wants(s)) {
			return verdict{do: retire}
		}
	}
	return verdict{do: rest}
}

// killedFor is the cause that the death of s will have if everything is killed.
func (r rules) killedFor(s *slot) Cause {
	if s.phase == Aborting {
		return s.killedFor
	}
	return Asked
}

// due is the next instant at which decide may say something else about s
// though nothing happened to it. 0 means never.
func (r rules) due(s *slot) time.Duration {
	switch {
	case r.rests(s):
		return 0
	case s.phase != Vacant:
		at, _ := s.deadline(r.limits, r.fresh)
		if s.oldAt != 0 && s.serves() && !s.replaced && (at == 0 || s.oldAt < at) {
			return s.oldAt
		}
		return at
	case s.ordered:
		return r.orderDue(s)
	case r.wants(s) && r.room():
		return s.notBefore
	default:
		return 0
	}
}

// Ticks are how often activity is read: a quarter of the shortest limit that
// depends on it, within these bounds.
const (
	tickMin = 5 * time.Millisecond
	tickMax = time.Second
)

// tick is the longest the owner sleeps. Ticks also bound how long it takes to
// notice having been stopped.
func (l Limits) tick() time.Duration {
	tick := tickMax
	for _, limit := range []time.Duration{l.Beat, l.Busy, l.Request} {
		if limit > 0 {
			tick = min(tick, limit/4)
		}
	}
	return max(tick, tickMin)
}
