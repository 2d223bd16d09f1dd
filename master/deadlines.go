package master

import (
	"time"

	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

const (
	// abortGrace is how long a worker has between SIGABRT and SIGKILL. The stacks
	// are written in a millisecond; the rest is for a hook worker_abort.
	abortGrace = time.Second
	// beatsInTimeout is how many beats a worker gives in the time after which it is
	// killed without one, and beatMin the shortest time between two.
	beatsInTimeout = 5
	beatMin        = 20 * time.Millisecond
)

// limits are the deadlines of the workers.
func limits(s *settings.Values) pool.Limits {
	return pool.Limits{
		Boot:  s.BootTimeout(),
		Busy:  s.Timeout(),
		Beat:  max(s.Timeout(), silenceMin(s.Timeout())),
		Grace: s.GracefulTimeout(),
		Abort: abortGrace,
	}
}

// beatFor is how often workers beat that are killed after so long without one; 0 is
// never.
func beatFor(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return laneBeat
	}
	return min(laneBeat, max(timeout/beatsInTimeout, beatMin))
}

// silenceMin is the shortest silence that can be told from the pause between beats;
// none if there is no limit.
func silenceMin(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return 0
	}
	return beatsInTimeout * beatMin
}
