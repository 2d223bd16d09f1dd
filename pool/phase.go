package pool

import "fmt"

// Phase is where a slot stands in the life of the process it holds.
type Phase uint8

// The phases. The package comment draws how they follow each other.
const (
	Vacant   Phase = iota // no process
	Starting              // process exists, has not said it is ready
	Idle                  // ready, holds no request
	Busy                  // ready, its Activity says that it holds a request
	Draining              // asked to leave, may be finishing a request
	Aborting              // SIGABRT sent because a deadline passed, may be writing its stacks
	Killed                // SIGKILL sent, waiting to be reaped
	numPhases
)

// String is the phase in lower case, as logs and status print it.
func (p Phase) String() string {
	switch p {
	case Vacant:
		return "vacant"
	case Starting:
		return "starting"
	case Idle:
		return "idle"
	case Busy:
		return "busy"
	case Draining:
		return "draining"
	case Aborting:
		return "aborting"
	case Killed:
		return "killed"
	default:
		return fmt.Sprintf("phase(%d)", uint8(p))
	}
}

// Event is something that happened to a slot, or was asked of it.
type Event uint8

// The events.
const (
	Spawned  Event = iota // a process was started for this slot
	Ready                 // the process said it can take requests
	Taken                 // its Activity shows a request
	Returned              // its Activity shows none any more
	Retire                // it must leave after what it holds
	Aborted               // a deadline passed, and SIGABRT was sent first
	Overdue               // a deadline passed, and SIGKILL was sent
	Reaped                // the kernel gave us its exit status
	numEvents
)

// String is the event in lower case.
func (e Event) String() string {
	switch e {
	case Spawned:
		return "spawned"
	case Ready:
		return "ready"
	case Taken:
		return "taken"
	case Returned:
		return "returned"
	case Retire:
		return "retire"
	case Aborted:
		return "aborted"
	case Overdue:
		return "overdue"
	case Reaped:
		return "reaped"
	default:
		return fmt.Sprintf("event(%d)", uint8(e))
	}
}

// MoveError reports an event that is not lawful in the phase a slot is in.
// It is a mistake in this package, never one of a worker.
type MoveError struct {
	From  Phase
	Event Event
}

// Error names the pair.
func (e *MoveError) Error() string {
	return fmt.Sprintf("slot is %v: event %v is not lawful", e.From, e.Event)
}

// move is one entry of moves; lawful tells it from the zero of the array.
type move struct {
	to     Phase
	lawful bool
}

// moves holds every lawful step and nothing else. It is written once, here,
// never changed, and is the only place that knows which phase may follow
// which.
//
// Ready, Returned and Retire are lawful in Draining, Aborting and Killed, where they
// change nothing: such a message may be on its way when we decide.
var moves = [numPhases][numEvents]move{
	Vacant: {Spawned: {Starting, true}},
	Starting: {
		Ready: {Idle, true}, Retire: {Draining, true},
		Aborted: {Aborting, true}, Overdue: {Killed, true}, Reaped: {Vacant, true},
	},
	Idle: {
		Taken: {Busy, true}, Retire: {Draining, true},
		Aborted: {Aborting, true}, Overdue: {Killed, true}, Reaped: {Vacant, true},
	},
	Busy: {
		Returned: {Idle, true}, Retire: {Draining, true},
		Aborted: {Aborting, true}, Overdue: {Killed, true}, Reaped: {Vacant, true},
	},
	Draining: {
		Ready: {Draining, true}, Returned: {Draining, true}, Retire: {Draining, true},
		Aborted: {Aborting, true}, Overdue: {Killed, true}, Reaped: {Vacant, true},
	},
	Aborting: {
		Ready: {Aborting, true}, Returned: {Aborting, true}, Retire: {Aborting, true},
		Overdue: {Killed, true}, Reaped: {Vacant, true},
	},
	Killed: {
		Ready: {Killed, true}, Returned: {Killed, true}, Retire: {Killed, true},
		Reaped: {Vacant, true},
	},
}

// next reports the phase that follows p when e happens. An unlawful pair is a
// mistake of ours: the caller logs it and leaves the slot as it is.
func next(p Phase, e Event) (Phase, error) {
	if p >= numPhases || e >= numEvents || !moves[p][e].lawful {
		return p, &MoveError{From: p, Event: e}
	}
	return moves[p][e].to, nil
}
