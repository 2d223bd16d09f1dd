package pool

import (
	"time"

	"golang.org/x/sys/unix"
)

// instants is one reading of two clocks. In this package an instant is a
// time.Duration: the time since the zero of CLOCK_MONOTONIC, the clock that
// workers use for their beats. (time.Time keeps its monotonic reading to
// itself, so it cannot be compared with another process's.)
type instants struct {
	mono time.Duration // CLOCK_MONOTONIC: stands still while the machine is suspended
	boot time.Duration // CLOCK_BOOTTIME: does not
}

// readClocks reads both clocks. clock_gettime(2) fails only for clocks that
// do not exist; both do since Linux 2.6.39.
func readClocks() instants {
	var mono, boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) // cannot fail, see above
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
	return instants{mono: time.Duration(mono.Nano()), boot: time.Duration(boot.Nano())}
}

// oversleep is how much later than asked the owner may wake without
// suspecting that it was stopped. Less would take a busy machine for a
// sleeping one and spare workers that hang.
const oversleep = time.Second

// sleeper notices that time passed in which the owner could not run: it was
// stopped (SIGSTOP, a frozen cgroup, a debugger), or the machine was
// suspended.
type sleeper struct {
	asked time.Duration // the instant the owner asked to be woken at; 0 before the first
	last  instants      // when it asked
}

// ask notes at now that the owner wants to wake at the instant wake.
func (s *sleeper) ask(now instants, wake time.Duration) {
	s.asked, s.last = wake, now
}

// lost reports how long the owner could not run before now, or 0 if that is
// within oversleep.
func (s *sleeper) lost(now instants) time.Duration {
	if s.asked == 0 {
		return 0
	}
	late := now.mono - s.asked
	suspended := (now.boot - s.last.boot) - (now.mono - s.last.mono)
	if lost := max(late, suspended); lost > oversleep {
		return lost
	}
	return 0
}
