package pool

import (
	"testing"
	"time"
)

func TestDecisions(t *testing.T) {
	t.Parallel()
	now := at(100)
	serving := rules{serving: true, limits: limitsOfAll}
	draining := rules{limits: limitsOfAll}
	killing := rules{killing: true, limits: limitsOfAll}
	awake := rules{serving: true, limits: limitsOfAll, fresh: now}
	cases := []struct {
		name  string
		rules rules
		slot  slot
		want  verdict
	}{
		{"fill a vacant slot", serving, slot{id: 1}, verdict{do: spawn}},
		{"not one past the size", serving, slot{surplus: true}, verdict{}},
		{"not one that waits", serving, slot{notBefore: at(101)}, verdict{}},
		{"one whose wait is over", serving, slot{notBefore: at(100)}, verdict{do: spawn}},
		{"not twice", serving, slot{order: order{ordered: true, orderedAt: at(95)}}, verdict{}},
		{"an order that was lost", serving, slot{order: order{ordered: true, orderedAt: at(90)}}, verdict{do: forget}},
		{"not an order of before our sleep", awake, slot{order: order{ordered: true, orderedAt: at(10)}}, verdict{}},
		{"no spawn while draining", draining, slot{}, verdict{}},
		{"starting in time", serving, slot{life: life{phase: Starting, entered: at(95)}}, verdict{}},
		{"never ready", serving, slot{life: life{phase: Starting, entered: at(90)}}, verdict{kill, NeverReady}},
		{"idle", serving, slot{life: life{phase: Idle, entered: at(99)}}, verdict{}},
		{"silent", serving, slot{life: life{phase: Idle, entered: at(50)}}, verdict{kill, Silent}},
		{"silent while we slept", awake, slot{life: life{phase: Idle, entered: at(50)}}, verdict{}},
		{"overran", serving, slot{life: life{phase: Busy, entered: at(80)}}, verdict{kill, Overran}},
		{"busy for long, but concurrent", serving, slot{life: life{phase: Busy, entered: at(10), act: Activity{Busy: true, Since: at(10), Beat: at(99), Concurrent: true}}}, verdict{}},
		{"busy, concurrent and silent", serving, slot{life: life{phase: Busy, entered: at(99), act: Activity{Busy: true, Since: at(99), Beat: at(50), Concurrent: true}}}, verdict{kill, Silent}},
		{"deaf", serving, slot{life: life{phase: Draining, entered: at(70)}}, verdict{kill, Deaf}},
		{"deaf while we slept", awake, slot{life: life{phase: Draining, entered: at(70)}}, verdict{}},
		{"past the size", serving, slot{surplus: true, life: life{phase: Busy, entered: at(99)}}, verdict{do: retire}},
		{"unwanted", serving, slot{life: life{phase: Idle, entered: at(99), unwanted: true}}, verdict{do: retire}},
		{"retired once", serving, slot{life: life{phase: Draining, entered: at(99), unwanted: true}}, verdict{}},
		{"drain a starting one", draining, slot{life: life{phase: Starting, entered: at(99)}}, verdict{do: retire}},
		{"late is late, also while draining", draining, slot{life: life{phase: Busy, entered: at(80)}}, verdict{kill, Overran}},
		{"kill all", killing, slot{life: life{phase: Draining, entered: at(99)}}, verdict{kill, Asked}},
		{"kill once", killing, slot{life: life{phase: Killed, entered: at(1)}}, verdict{}},
		{"killed is left to the kernel", serving, slot{life: life{phase: Killed, entered: at(1)}}, verdict{}},
	}
	for _, c := range cases {
		if got := c.rules.decide(&c.slot, now); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// If the owner slept past a decision, a deadline would pass unseen: whatever
// decide will say at due, it must not say before.
func TestDueIsWhenTheDecisionChanges(t *testing.T) {
	t.Parallel()
	r := rules{serving: true, limits: limitsOfAll}
	for name, s := range map[string]*slot{
		"wait":     {notBefore: at(100)},
		"order":    {order: order{ordered: true, orderedAt: at(100)}},
		"starting": {life: life{phase: Starting, entered: at(100)}},
		"idle":     {life: life{phase: Idle, entered: at(100)}},
		"busy":     {life: life{phase: Busy, entered: at(100)}},
		"draining": {life: life{phase: Draining, entered: at(100)}},
	} {
		due := r.due(s)
		if got := r.decide(s, due-1); got.do != rest {
			t.Errorf("%s: just before %v: got %+v, want rest", name, due, got)
		}
		if got := r.decide(s, due); got.do == rest {
			t.Errorf("%s: at %v: got rest", name, due)
		}
	}
	for name, s := range map[string]*slot{
		"killed":   {life: life{phase: Killed}},
		"past end": {surplus: true},
	} {
		if got := r.due(s); got != 0 {
			t.Errorf("%s: got %v, want never", name, got)
		}
	}
}

// A pool that ends must not wait half a minute for an order that will never
// be answered.
func TestAnOrderIsWaitedForShorterAtTheEnd(t *testing.T) {
	t.Parallel()
	s := &slot{order: order{ordered: true, orderedAt: at(100)}}
	cases := []struct {
		name  string
		rules rules
		want  time.Duration
	}{
		{"serving", rules{serving: true, limits: Limits{Boot: at(60)}}, at(160)},
		{"serving, no limit", rules{serving: true}, at(130)},
		{"draining", rules{limits: Limits{Boot: at(60), Grace: at(5)}}, at(105)},
		{"draining, boot shorter", rules{limits: Limits{Boot: at(3), Grace: at(5)}}, at(103)},
		{"draining, no limit", rules{}, at(130)},
		{"killing", rules{killing: true, limits: limitsOfAll}, at(101)},
	}
	for _, c := range cases {
		if got := c.rules.orderDue(s); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	cases := []struct {
		limits Limits
		want   time.Duration
	}{
		{Limits{}, time.Second},
		{Limits{Busy: 30 * time.Second, Beat: 5 * time.Second}, time.Second},
		{Limits{Busy: 2 * time.Second, Beat: time.Minute}, 500 * time.Millisecond},
		{Limits{Boot: time.Millisecond, Grace: time.Millisecond}, time.Second},
		{Limits{Beat: time.Microsecond}, tickMin},
	}
	for _, c := range cases {
		if got := c.limits.tick(); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.limits, got, c.want)
		}
	}
}
