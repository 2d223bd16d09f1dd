package pool

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A master that was stopped, or whose machine slept, must not take its own
// absence for its workers'.
func TestLostTime(t *testing.T) {
	t.Parallel()
	asked := instants{mono: at(100), boot: at(500)}
	cases := []struct {
		name string
		now  instants
		want time.Duration
	}{
		{"woken early by a message", instants{at(100) + 1, at(500) + 1}, 0},
		{"woken in time", instants{at(101), at(501)}, 0},
		{"a busy machine", instants{at(102), at(502)}, 0},
		{"stopped", instants{at(131), at(531)}, at(30)},
		{"just over what a busy machine does", instants{at(102) + 1, at(502) + 1}, at(1) + 1},
		{"suspended, and woken in time by the clock that stood still", instants{at(101), at(4101)}, at(3600)},
		{"suspended, and woken early", instants{at(100), at(4100)}, at(3600)},
		{"suspended for a moment", instants{at(100), at(501)}, 0},
		{"suspended and stopped", instants{at(111), at(571)}, at(60)},
	}
	for _, c := range cases {
		var s sleeper
		s.ask(asked, at(101))
		if got := s.lost(c.now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNothingIsLostBeforeTheFirstSleep(t *testing.T) {
	t.Parallel()
	var s sleeper
	if got := s.lost(instants{at(1000), at(9000)}); got != 0 {
		t.Errorf("got %v, want 0", got)
	}
}

// Beats of workers are compared with this clock; another one would kill them
// all, or none.
func TestInstantsAreCLOCK_MONOTONIC(t *testing.T) {
	t.Parallel()
	read := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	before, now, after := read(), readClocks(), read()
	if now.mono < before || now.mono > after || now.boot < now.mono {
		t.Errorf("got %+v between %v and %v", now, before, after)
	}
}
