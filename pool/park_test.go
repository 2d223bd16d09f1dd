package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

// A parked pool replaces nobody, and expects nothing of an idle worker that may be
// frozen; unparked it does, from then on.
func TestAParkedPoolOrdersNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		beat := func(w *world, s SlotID) { w.set(s, Activity{Beat: w.clocks().mono}) }
		w := newWorld(t, Config{Size: 2, Limits: Limits{Beat: 10 * time.Second}, Activity: none}, nil)
		synctest.Wait()
		w.Park(true)
		pass(time.Minute) // nobody beats
		w.log.expect()
		w.Retire(1)
		w.worker(0).end(Exit{Status: 1})
		pass(time.Minute)
		w.log.expect("worker ended")
		if got, n := w.phases(), len(w.orders()); got != "vacant idle" || n != 2 {
			t.Errorf("parked: %s after %d orders, want vacant idle after 2", got, n)
		}
		last := w.worker(1)
		beat(w, 1)
		w.Unpark()
		pass(5 * time.Second)
		if got, n := w.phases(), len(w.orders()); got != "idle idle" || n != 4 || !last.left() {
			t.Errorf("unparked: %s after %d orders, the one to be retired gone: %v; want idle idle after 4, true", got, n, last.left())
		}
		w.stop()
	})
}

// Without being still, a parked pool ends who is silent; and it can always be stopped.
func TestAParkedPoolKeepsItsLimits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Limits: Limits{Beat: 10 * time.Second}, Activity: none}, nil)
		synctest.Wait()
		w.Park(false)
		pass(5 * time.Second)
		w.set(1, Activity{Beat: w.clocks().mono})
		pass(7 * time.Second)
		w.log.expect("worker ended")
		if got := w.phases(); got != "vacant idle" {
			t.Errorf("after the limit: %s, want vacant idle", got)
		}
		w.Park(true)
		w.stop()
	})
}
