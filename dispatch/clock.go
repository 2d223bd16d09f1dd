package dispatch

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic returns the time of CLOCK_MONOTONIC in nanoseconds: the clock of every
// time on the scoreboard. It is the same in all processes (but for a microsecond,
// which it may be behind), is Python's time.monotonic_ns, and stands still while
// the machine is suspended.
//
// x/sys asks the kernel for it by a system call. The runtime reads the same clock
// without one, by the vDSO, but tells only differences: so one instant is read both
// ways, and the rest is a difference.
func Monotonic() int64 { return clockStart.kernel + int64(time.Since(clockStart.runtime)) }

// instant is a moment on both clocks. It is a little later on the runtime's, so
// that Monotonic is never ahead of the kernel.
type instant struct {
	kernel  int64
	runtime time.Time
}

var clockStart = bothClocks()

// bothClocks reads both clocks, again if this thread was interrupted between the two.
func bothClocks() instant {
	const tries, close = 100, 2000 // ns
	var best instant
	for gap, n := int64(0), 0; n < tries && (n == 0 || gap > close); n++ {
		now := instant{kernel: kernelClock(), runtime: time.Now()}
		if elapsed := kernelClock() - now.kernel; n == 0 || elapsed < gap {
			best, gap = now, elapsed
		}
	}
	return best
}

func kernelClock() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic("clock_gettime(CLOCK_MONOTONIC): " + err.Error()) // Linux cannot fail here
	}
	return now.Nano()
}
