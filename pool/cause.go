package pool

import (
	"fmt"
	"syscall"
	"time"
)

// Cause is the pool's judgement of why a process left.
type Cause uint8

// The causes.
const (
	Asked       Cause = iota // it was retired and left in time, said that it was leaving, or the pool was told to kill everything
	LoadFailed               // it said, before it was ready, that its application cannot be loaded
	BootFailed               // it said, before it was ready, that something else stopped it
	Crashed                  // it ended by itself with a status other than 0, or with one nobody could read
	Signalled                // a signal ended it that did not come from the pool
	Overran                  // killed: busy for longer than Limits.Busy
	NeverReady               // killed: not ready within Limits.Boot
	Deaf                     // killed: did not leave within Limits.Grace after it was retired
	Silent                   // killed: without a beat for longer than Limits.Beat
	Left                     // it ended by itself with status 0, though nobody in the pool had asked
	OutOfMemory              // the kernel killed it for want of memory; only Config.Explain can know
	numCauses
)

// String is the cause in words, as logs and status print it. Overran is
// called "timeout", the word its readers know.
func (c Cause) String() string {
	switch c {
	case Asked:
		return "asked"
	case LoadFailed:
		return "load failed"
	case BootFailed:
		return "boot failed"
	case Crashed:
		return "crashed"
	case Signalled:
		return "signalled"
	case Overran:
		return "timeout"
	case NeverReady:
		return "never ready"
	case Deaf:
		return "deaf"
	case Silent:
		return "silent"
	case Left:
		return "left"
	case OutOfMemory:
		return "out of memory"
	default:
		return fmt.Sprintf("cause(%d)", uint8(c))
	}
}

// Death is the end of one worker.
type Death struct {
	Slot   SlotID
	PID    int
	Cause  Cause
	Exit   Exit
	From   Phase         // the phase it ended in; Killed or Aborting if the pool ended it
	Booted bool          // it had become ready
	Lived  time.Duration // from Spawned to the reap
	Reason string        // why it was asked to leave, or left of its own accord; may be empty
	Facts  []any         // what Config.Explain adds to the log line, keys and values
}

// judge says why a process that ended with x left. It reads the slot as it
// was when the process ended; stop and statuses are those of [Config].
//
// What we did comes first (it was killed for a reason we noted), then what it
// said itself, then what its status says.
func judge(s *slot, x Exit, stop syscall.Signal, statuses map[int]Cause) Cause {
	switch {
	case s.phase == Killed, s.phase == Aborting:
		return s.killedFor
	case s.phase == Draining && left(x, stop), s.act.Leaving && x.Signal == 0 && x.Status == 0:
		return Asked
	case !s.booted && s.said != nil:
		return *s.said
	}
	if c, ok := statuses[x.Status]; ok && !s.booted && x.Signal == 0 {
		return c
	}
	switch {
	case x.Signal != 0:
		return Signalled
	case x.Status == 0:
		return Left
	default:
		return Crashed
	}
}

// left reports whether x is a decent answer to the signal stop: status 0, death by
// that signal (a program without a handler), or 128 plus its number (a shell,
// a Java machine).
func left(x Exit, stop syscall.Signal) bool {
	return x.Signal == stop ||
		x.Signal == 0 && (x.Status == 0 || x.Status == 128+int(stop))
}

// atFault reports whether a death is charged to the restart budget: not if
// the worker was on its way out anyway.
func (d Death) atFault() bool {
	return d.From != Draining && d.Cause != Asked && d.Cause != Deaf
}
