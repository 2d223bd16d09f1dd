package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

// states finds a slot in a snapshot.
func (w *world) state(s SlotID) SlotState {
	w.t.Helper()
	for _, state := range w.Snapshot() {
		if state.Slot == s {
			return state
		}
	}
	return SlotState{Slot: s}
}

// serving counts the workers that take requests.
func (w *world) serving() (n int) {
	for _, state := range w.Snapshot() {
		if state.Phase == Idle || state.Phase == Busy {
			n++
		}
	}
	return n
}

func TestAReplacedWorkerLeavesWhenItsSuccessorIsReady(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Slots: 4}, nil)
		synctest.Wait()
		w.spawnBy(func(s SlotID) { // from now on booting takes ten seconds
			pid := w.start(s)
			go func() { time.Sleep(10 * time.Second); w.Ready(s, pid) }()
		})
		old := w.worker(0)
		w.Replace(0, old.pid, "because")
		pass(9 * time.Second)
		if n := w.serving(); n != 2 || old.left() {
			t.Errorf("while the successor boots %d workers serve, the old one gone: %v; want 2, false", n, old.left())
		}
		pass(2 * time.Second)
		if n := w.serving(); n != 2 || !old.left() {
			t.Errorf("with the successor ready %d workers serve, the old one gone: %v; want 2, true", n, old.left())
		}
		deaths := w.deaths()
		if len(deaths) != 1 || deaths[0].Cause != Asked || deaths[0].Reason != "because" {
			t.Errorf("deaths %+v, want one, asked for because", deaths)
		}
		if state := w.state(2); state.Phase != Idle {
			t.Errorf("the successor's slot is %v, want idle", state.Phase)
		}
		pass(time.Minute)
		if n := len(w.orders()); n != 3 {
			t.Errorf("%d orders, want 3: two at first and the successor", n)
		}
		w.stop()
	})
}

// Whoever asks for all at once gets one after the other.
func TestReplacementsWaitForEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 3, Slots: 8}, nil)
		synctest.Wait()
		most := 0
		spawn := w.spawnBy(func(s SlotID) {
			pid := w.start(s)
			go func() { time.Sleep(time.Second); w.Ready(s, pid) }()
		})
		for range 2 { // asked twice, done once
			for s := range SlotID(3) {
				w.Replace(s, w.worker(s).pid, "all")
			}
		}
		for range 40 {
			time.Sleep(100 * time.Millisecond)
			if n := w.serving(); n < 3 {
				t.Fatalf("%d workers serve, want 3 at any time", n)
			}
			most = max(most, len(w.Snapshot()))
		}
		if n := len(w.deaths()); n != 3 || most != 4 {
			t.Errorf("%d deaths, at most %d slots in use; want 3, 4", n, most)
		}
		w.spawnBy(spawn)
		w.stop()
	})
}

// A successor that cannot boot must not cost the worker that serves.
func TestAWorkerStaysWhileItsSuccessorsDie(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Slots: 2}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		good := w.spawnBy(func(s SlotID) { w.startDead(s, Exit{Status: 3}) })
		old := w.worker(0)
		w.Replace(0, old.pid, "because")
		pass(20 * time.Second)
		if old.left() {
			t.Error("the worker is gone, and nobody is there for it")
		}
		if n := len(w.orders()); n < 4 || n > 12 {
			t.Errorf("%d orders in 20 s, want a few, with growing pauses", n)
		}
		w.spawnBy(good)
		pass(time.Minute)
		if !old.left() || w.serving() != 1 {
			t.Errorf("with a successor that boots the old one is gone: %v, %d serve; want true, 1", old.left(), w.serving())
		}
		w.stop()
	})
}

func TestAWorkerThatDiesWhileItIsReplacedIsNotReplacedTwice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Slots: 4}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		w.spawnBy(func(s SlotID) {
			pid := w.start(s)
			go func() { time.Sleep(10 * time.Second); w.Ready(s, pid) }()
		})
		old := w.worker(0)
		w.Replace(0, old.pid, "because")
		pass(time.Second)
		old.end(Exit{Status: 9})
		pass(time.Minute)
		if n := len(w.orders()); n != 3 || w.serving() != 2 {
			t.Errorf("%d orders, %d serve; want 3, 2", n, w.serving())
		}
		w.stop()
	})
}

// Without a spare slot the worker leaves first: that is still a replacement.
func TestReplaceWithoutASpareSlot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Slots: 2}, nil)
		synctest.Wait()
		old := w.worker(1)
		w.Replace(1, old.pid, "because")
		pass(time.Second)
		if !old.left() || w.serving() != 2 || w.deaths()[0].Reason != "because" {
			t.Errorf("gone: %v, %d serve, deaths %+v; want true, 2, one because", old.left(), w.serving(), w.deaths())
		}
		w.stop()
	})
}

// A resize in the middle of a replacement ends with the number that was asked for.
func TestResizeDuringAReplacement(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, size := range []int{1, 2, 4, 6} {
			w := newWorld(t, Config{Size: 3, Slots: 6}, nil)
			synctest.Wait()
			w.spawnBy(func(s SlotID) {
				pid := w.start(s)
				go func() { time.Sleep(10 * time.Second); w.Ready(s, pid) }()
			})
			w.Replace(2, w.worker(2).pid, "because")
			time.Sleep(time.Second)
			w.Resize(size)
			time.Sleep(time.Minute)
			if n := w.serving(); n != size || len(w.Snapshot()) != size {
				t.Errorf("resized to %d: %d serve in %d slots", size, n, len(w.Snapshot()))
			}
			w.stop()
		}
	})
}

func TestWorkersAreReplacedAtTheirAge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 4, Slots: 5, Limits: Limits{Age: time.Hour, AgeJitter: time.Hour}}, nil)
		pass(time.Hour - time.Second)
		if n := len(w.deaths()); n != 0 {
			t.Errorf("%d workers left before their time", n)
		}
		pass(time.Hour + 2*time.Second)
		deaths := w.deaths()
		if len(deaths) < 4 || w.serving() != 4 {
			t.Fatalf("after two hours %d have left and %d serve, want 4 or more, 4", len(deaths), w.serving())
		}
		together := true
		for _, d := range deaths[:4] {
			if d.Reason != "max_worker_age" || d.Cause != Asked {
				t.Errorf("death %+v, want one for age", d)
			}
			together = together && d.Lived-deaths[0].Lived < time.Second
		}
		if together {
			t.Error("all left within a second: there is no jitter")
		}
		w.stop()
	})
}

// A pool that is suspended in the middle of a replacement goes on with the workers that
// serve, and with no more of them than were wanted.
func TestSuspendDuringAReplacement(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := Config{Size: 2, Slots: 4}
		w := newWorld(t, cfg, nil)
		synctest.Wait()
		w.spawnBy(func(s SlotID) { w.start(s) })
		w.Replace(0, w.worker(0).pid, "because")
		synctest.Wait()
		if n := len(w.Snapshot()); n != 3 {
			t.Fatalf("%d slots in use, want 3", n)
		}
		state, err := w.Suspend()
		if err != nil {
			t.Fatal(err)
		}
		<-w.ran
		surplus := 0
		for _, held := range state.Slots {
			if held.Surplus {
				surplus++
			}
		}
		if surplus != 1 {
			t.Errorf("%d of %d slots are in surplus, want 1: %+v", surplus, len(state.Slots), state.Slots)
		}
		cfg.Spawn = func(SlotID) {}
		p, err := Resume(cfg, state)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.slots {
			if want := s.id == 2; s.surplus != want {
				t.Errorf("slot %d in surplus: %v, want %v", s.id, s.surplus, want)
			}
		}
	})
}
