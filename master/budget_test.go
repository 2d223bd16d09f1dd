package master

import (
	"testing"
	"time"
)

// A gateway that dies once, or now and then, is replaced at once: clients wait.
func TestBudgetForgivesRareDeaths(t *testing.T) {
	var b budget
	now := time.Unix(1000, 0)
	for i := range 100 {
		if wait := b.died(now); wait != 0 {
			t.Fatalf("death %d, one every 3 s: waits %v, want none", i, wait)
		}
		now = now.Add(3 * time.Second)
	}
}

// One that dies as soon as it is started must not keep a processor busy.
func TestBudgetWaitsLonger(t *testing.T) {
	var b budget
	now := time.Unix(1000, 0)
	var waits []time.Duration
	for range 20 {
		wait := b.died(now)
		waits = append(waits, wait)
		now = now.Add(wait + 10*time.Millisecond)
	}
	for i, wait := range waits {
		switch {
		case i < budgetDeaths && wait != 0:
			t.Errorf("death %d: waits %v, want none", i, wait)
		case i == budgetDeaths && wait != budgetFirst:
			t.Errorf("death %d: waits %v, want %v", i, wait, budgetFirst)
		case i > budgetDeaths && wait != min(2*waits[i-1], budgetMax):
			t.Errorf("death %d: waits %v after %v, want twice as long up to %v", i, wait, waits[i-1], budgetMax)
		}
	}
	if wait := b.died(now.Add(time.Hour)); wait != 0 {
		t.Errorf("a death after an hour of service waits %v, want none", wait)
	}
}
