package desk

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/pool"
)

// A Weight is the memory of one worker.
type Weight struct {
	Slot  pool.SlotID
	PID   int
	Bytes int
	Own   bool // of some of its processes only what is their own, without their share of what they share
}

// Scales remember when the workers' memory was looked at. They belong to the master's
// loop; the zero value has not looked yet.
type Scales struct {
	last time.Time
	busy bool // a goroutine is at it
	told bool // that the kernel does not show the shares of shared memory; said once
}

// Weigh has a goroutine look at the memory of the workers, if the interval is over and
// no other is at it. To read it can take some milliseconds for each GiB, for which the
// loop must not wait. List gives slots and processes, read is proc.Weigh or like it.
// Done gets, on that goroutine, those that have not ended; it must lead to Heavier.
func (s *Scales) Weigh(now time.Time, interval time.Duration, list func() []Weight,
	read func(pid int) (bytes int, own bool, err error), done func([]Weight)) {
	if s.busy || now.Sub(s.last) < interval {
		return
	}
	weights := list()
	if len(weights) == 0 {
		return
	}
	s.last, s.busy = now, true
	go func() {
		known := weights[:0]
		for _, w := range weights {
			var err error
			if w.Bytes, w.Own, err = read(w.PID); err == nil { // else it has ended
				known = append(known, w)
			}
		}
		done(known)
	}()
}

// Heavier takes what was weighed, and returns what has more than limit bytes. It says,
// once, that shares of shared memory are not in it.
func (s *Scales) Heavier(weights []Weight, limit int, log hclog.Logger) (large []Weight) {
	s.busy = false
	for _, w := range weights {
		if w.Own && !s.told {
			s.told = true
			log.Warn("memory that workers share is not counted: the kernel does not show it to this user", "pid", w.PID)
		}
		if w.Bytes > limit {
			large = append(large, w)
		}
	}
	return large
}
