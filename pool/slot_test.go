package pool

import (
	"testing"
	"time"
)

// at makes an instant, in seconds; small numbers read better than real ones.
func at(seconds int) time.Duration { return time.Duration(seconds) * time.Second }

var limitsOfAll = Limits{Boot: at(10), Busy: at(20), Grace: at(30), Beat: at(5)}

// The limits are what a user configures; each must be counted from what he
// was promised.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		life   life
		limits Limits
		fresh  time.Duration
		want   time.Duration
		cause  Cause
	}{
		{"vacant has none", life{phase: Vacant, entered: at(100)}, limitsOfAll, 0, 0, Asked},
		{"killed has none", life{phase: Killed, entered: at(100)}, limitsOfAll, 0, 0, Asked},
		{"starting", life{phase: Starting, entered: at(100)}, limitsOfAll, 0, at(110), NeverReady},
		{"idle without a beat counts from ready", life{phase: Idle, entered: at(100)}, limitsOfAll, 0, at(105), Silent},
		{"idle counts from the last beat", life{phase: Idle, entered: at(100), act: Activity{Beat: at(102)}}, limitsOfAll, 0, at(107), Silent},
		{"an old beat of another process does not shorten", life{phase: Idle, entered: at(100), act: Activity{Beat: at(90)}}, limitsOfAll, 0, at(105), Silent},
		{"busy counts from the request, not from when we saw it", life{phase: Busy, entered: at(101), readyAt: at(50), act: Activity{Since: at(100)}}, limitsOfAll, 0, at(120), Overran},
		{"busy with the next request", life{phase: Busy, entered: at(101), readyAt: at(50), act: Activity{Since: at(115)}}, limitsOfAll, 0, at(135), Overran},
		{"busy without a start counts from when we saw it", life{phase: Busy, entered: at(101), readyAt: at(50)}, limitsOfAll, 0, at(121), Overran},
		{"draining", life{phase: Draining, entered: at(100)}, limitsOfAll, 0, at(130), Deaf},
		{"fresh starts count anew", life{phase: Draining, entered: at(100)}, limitsOfAll, at(125), at(155), Deaf},
		{"a fresh start before the phase changes nothing", life{phase: Starting, entered: at(100)}, limitsOfAll, at(90), at(110), NeverReady},
		{"no limit on boot", life{phase: Starting, entered: at(100)}, Limits{}, 0, 0, NeverReady},
		{"no limit on silence", life{phase: Idle, entered: at(100)}, Limits{}, 0, 0, Silent},
		{"no limit on requests", life{phase: Busy, entered: at(100)}, Limits{}, 0, 0, Overran},
		{"no limit on draining", life{phase: Draining, entered: at(100)}, Limits{}, 0, 0, Deaf},
	}
	for _, c := range cases {
		s := &slot{life: c.life}
		got, cause := s.deadline(c.limits, c.fresh)
		if got != c.want || cause != c.cause {
			t.Errorf("%s: got %v %v, want %v %v", c.name, got, cause, c.want, c.cause)
		}
	}
}

// A draining worker that keeps talking must still run out of time.
func TestTalkingDoesNotExtendADrain(t *testing.T) {
	t.Parallel()
	s := &slot{life: life{phase: Draining, entered: at(100)}}
	for _, e := range []Event{Ready, Returned, Retire} {
		to, err := next(s.phase, e)
		if err != nil {
			t.Fatal(err)
		}
		s.enter(to, at(120))
	}
	if got, _ := s.deadline(limitsOfAll, 0); got != at(130) {
		t.Errorf("deadline after three late messages: got %v, want %v", got, at(130))
	}
}

// Nothing of a dead worker may be taken for its successor's: not its
// readiness, its words or its killer's reason.
func TestAVacatedSlotForgetsItsWorker(t *testing.T) {
	t.Parallel()
	s := &slot{life: life{
		phase: Killed, entered: at(1), pid: 7, booted: true, readyAt: at(1),
		said: new(Cause), killedFor: Deaf, unwanted: true, act: Activity{Beat: at(1), Busy: true},
	}}
	s.enter(Vacant, at(2))
	if want := (life{entered: at(2)}); s.life != want {
		t.Errorf("got %+v, want %+v", s.life, want)
	}
}

func TestReadinessIsCountedFromTheFirstTime(t *testing.T) {
	t.Parallel()
	s := &slot{}
	s.enter(Starting, at(1))
	s.said = new(Cause)
	s.enter(Idle, at(2))
	s.enter(Busy, at(3))
	s.enter(Idle, at(4))
	if s.born != at(1) || s.readyAt != at(2) || s.entered != at(4) {
		t.Errorf("born %v, ready %v, entered %v, want 1s, 2s, 4s", s.born, s.readyAt, s.entered)
	}
	if s.said != nil {
		t.Error("it became ready, but what it said about failing is kept")
	}
}
