package master

import (
	"fmt"
	"time"
)

// health is what a watchdog ping depends on, besides that the master's loop
// turns, which the ping itself proves. Instants are on CLOCK_MONOTONIC, in
// nanoseconds, as the scoreboard has them.
type health struct {
	now   int64
	stage stage
	// silence is the longest a loop of the gateway may be silent.
	silence time.Duration
	loops   []int64 // the last beat of each loop of the gateway; the order is the loops'
	workers []labour
	// unanswered is for how long the gateway has owed the answer to a probe; more than
	// silence is too long.
	unanswered time.Duration
	// still is for how long requests have waited and none was answered though a worker
	// was free; stillLimit bounds it, if it is not 0.
	still, stillLimit time.Duration
	// overdue says that booting or stopping takes longer than it may.
	overdue bool
}

// labour is what a worker of the serving generation is doing.
type labour struct {
	ready bool
	since int64         // when its current request began, 0 if it holds none; of one that beats at work its last beat
	limit time.Duration // the longest a request may take; 0: no limit
}

// verdict returns "" if systemd may be told that the service is well, else why
// not, in words for the status line.
//
// A service on its way up or down is well while it keeps to its deadlines: its
// gateway may not be there yet, or not any more.
func (h health) verdict() string {
	if h.stage != serving {
		if h.overdue {
			return fmt.Sprintf("%s takes longer than its limit", h.stage)
		}
		return ""
	}
	for i, beat := range h.loops {
		if silent := time.Duration(h.now - beat); silent > h.silence {
			return fmt.Sprintf("loop %d of the gateway does not beat", i)
		}
	}
	if h.unanswered > h.silence {
		return "the gateway does not obey"
	}
	if h.stillLimit > 0 && h.still > h.stillLimit {
		return fmt.Sprintf("requests wait, a worker is free, and none was answered for %v", h.stillLimit)
	}
	for _, w := range h.workers {
		if w.capable(h.now) {
			return ""
		}
	}
	return "no worker can take work"
}

// capable reports that the worker takes requests now, or will once it has
// finished one that is still within its limit.
func (w labour) capable(now int64) bool {
	if !w.ready {
		return false
	}
	return w.since == 0 || w.limit == 0 || time.Duration(now-w.since) <= w.limit
}

// silenceLimit is how long a gateway loop may be silent before systemd's
// watchdog is no longer pinged: half the interval. It beats ten times a second,
// but a busy machine may keep it from the processor, hence the floor.
func silenceLimit(interval time.Duration) time.Duration {
	return max(interval/2, time.Second)
}
