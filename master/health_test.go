package master

import (
	"testing"
	"time"
)

// A service must be restarted when nothing moves though it could, and for no other
// reason: not when it is idle, and not when what it does takes long.
func TestStandstill(t *testing.T) {
	begin := time.Unix(1_000_000, 0)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	waiting := traffic{waited: time.Second, inHand: 3}
	for _, c := range []struct {
		name  string
		see   func(s *standstill) time.Duration // at second 60
		wants time.Duration
	}{
		{"idle", func(s *standstill) time.Duration {
			s.look(traffic{}, true, at(0), time.Time{})
			return s.look(traffic{}, true, at(60), time.Time{})
		}, 0},
		{"requests that all workers are at work on", func(s *standstill) time.Duration {
			s.look(waiting, false, at(0), time.Time{})
			return s.look(waiting, false, at(60), time.Time{})
		}, 0},
		{"nothing moves", func(s *standstill) time.Duration {
			s.look(waiting, true, at(0), time.Time{})
			return s.look(waiting, true, at(60), time.Time{})
		}, time.Minute},
		{"one answer", func(s *standstill) time.Duration {
			s.look(waiting, true, at(0), time.Time{})
			moved := waiting
			moved.answered = 1
			s.look(moved, true, at(50), time.Time{})
			s.look(moved, true, at(51), time.Time{})
			return s.look(moved, true, at(60), time.Time{})
		}, 9 * time.Second},
		{"all were at work for a moment", func(s *standstill) time.Duration {
			s.look(waiting, true, at(0), time.Time{})
			s.look(waiting, false, at(30), time.Time{})
			s.look(waiting, true, at(40), time.Time{})
			return s.look(waiting, true, at(60), time.Time{})
		}, 20 * time.Second},
		{"we were stopped ourselves", func(s *standstill) time.Duration {
			s.look(waiting, true, at(0), time.Time{})
			return s.look(waiting, true, at(60), at(58))
		}, 2 * time.Second},
	} {
		if got := c.see(&standstill{}); got != c.wants {
			t.Errorf("%s: got %v, want %v", c.name, got, c.wants)
		}
	}
}

func TestAProbeIsOwedUntilItsAnswer(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	gt := gate{probe: probe{number: 2, sent: now}}
	gt.probed(1) // of before
	if got := gt.probe.unanswered(now.Add(time.Minute), time.Time{}); got != time.Minute {
		t.Errorf("after the answer to another: got %v, want 1m0s", got)
	}
	if got := gt.probe.unanswered(now.Add(time.Minute), now.Add(59*time.Second)); got != time.Second {
		t.Errorf("after having been stopped: got %v, want 1s", got)
	}
	gt.probed(2)
	if got := gt.probe.unanswered(now.Add(time.Minute), time.Time{}); got != 0 {
		t.Errorf("after the answer: got %v, want 0", got)
	}
}
