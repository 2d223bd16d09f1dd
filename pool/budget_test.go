package pool

import (
	"testing"
	"time"
)

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	t.Parallel()
	b := Budget{BackoffMin: 100 * time.Millisecond, BackoffMax: time.Second}
	for n, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if got := b.pause(n); got != want*time.Millisecond {
			t.Errorf("pause %d: got %v, want %v", n, got, want*time.Millisecond)
		}
	}
	long := Budget{BackoffMin: time.Second, BackoffMax: 1<<63 - 1}
	if got := long.pause(1000); got != long.BackoffMax {
		t.Errorf("pause 1000: got %v, want the longest", got)
	}
}

func TestThePurseHoldsAPeriod(t *testing.T) {
	t.Parallel()
	b := Budget{Restarts: 2, Period: at(10)}
	var p purse
	for _, step := range []struct {
		now  int
		want bool
	}{{1, true}, {2, true}, {3, false}, {4, false}, {13, true}, {14, true}, {15, false}, {16, false}} {
		if got := p.spend(b, at(step.now)); got != step.want {
			t.Errorf("death at %ds: got %t, want %t (%v)", step.now, got, step.want, p.deaths)
		}
		if len(p.deaths) > b.Restarts+1 {
			t.Fatalf("the purse grew to %d", len(p.deaths))
		}
	}
}

func TestWhenASlotMayBeFilledAgain(t *testing.T) {
	t.Parallel()
	b := Budget{Period: at(10), BackoffMin: at(1), BackoffMax: at(4)}
	type death struct {
		booted bool
		ready  time.Duration
		room   bool
		want   time.Duration
	}
	const before, served, over = false, true, false
	for name, deaths := range map[string][]death{
		"crashes in service within the budget cost nothing": {
			{served, at(1), true, 0}, {served, at(1), true, 0}, {served, at(1), true, 0},
		},
		"only the first death before ready is free": {
			{before, 0, true, 0}, {before, 0, true, at(1)}, {before, 0, true, at(2)},
			{before, 0, true, at(4)}, {before, 0, true, at(4)},
		},
		"past the budget even crashes in service wait": {
			{served, at(1), true, 0}, {served, at(1), over, at(1)}, {served, at(1), over, at(2)},
		},
		"becoming ready makes the next death before ready the first": {
			{before, 0, true, 0}, {before, 0, true, at(1)}, {served, at(1), true, 0}, {before, 0, true, 0},
		},
		"but does not shorten the waits": {
			{before, 0, true, 0}, {before, 0, true, at(1)}, {served, at(1), over, at(2)},
		},
		"good service does": {
			{before, 0, true, 0}, {before, 0, true, at(1)}, {served, at(10), over, at(1)},
		},
	} {
		var s tries
		for i, d := range deaths {
			if got := s.after(b, d.booted, d.ready, d.room); got != d.want {
				t.Errorf("%s: death %d: got %v, want %v", name, i+1, got, d.want)
			}
		}
	}
}

func TestBudgetDefaults(t *testing.T) {
	t.Parallel()
	want := Budget{Restarts: 20, Period: at(10), BackoffMin: at(1) / 10, BackoffMax: at(30)}
	if got := (Budget{}).withDefaults(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	long := Budget{BackoffMin: at(60)}.withDefaults()
	if long.BackoffMax != at(60) {
		t.Errorf("longest wait: got %v, want not less than the first, 60s", long.BackoffMax)
	}
}
