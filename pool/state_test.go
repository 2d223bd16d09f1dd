package pool

import (
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/fdcheck"
	"github.com/indrik/indrik/internal/testproc"
)

// suspended suspends the pool of a world and returns what it says, by way of JSON.
func suspended(t *testing.T, w *world) (st State) {
	t.Helper()
	said, err := w.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	if err := <-w.ran; !errors.Is(err, ErrSuspended) {
		t.Errorf("Run returned %v, want ErrSuspended", err)
	}
	text, err := json.Marshal(said)
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// resume goes on with a pool of that state in place of the one of w.
func (w *world) resume(t *testing.T, cfg Config, st State) {
	t.Helper()
	cfg.Log, cfg.Spawn, cfg.Changed = w.cfg.Log, w.cfg.Spawn, w.cfg.Changed
	p, err := Resume(cfg, st)
	if err != nil {
		t.Fatal(err)
	}
	p.clocks, p.watch = w.clocks, w.watch
	w.mu.Lock()
	for _, a := range w.procs {
		if p.Knows(a.pid) {
			a.gone = false
		}
	}
	w.mu.Unlock()
	w.Pool = p
	ctx, cancel := context.WithCancelCause(context.Background())
	w.cancel = cancel
	go func() { w.ran <- p.Run(ctx) }()
}

// What a pool knows of its workers is known to the one that goes on with them: who
// is where, since when, what failed before.
func TestResumeGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := Config{Size: 4, Limits: Limits{Boot: time.Minute, Grace: time.Minute}, Budget: Budget{BackoffMin: time.Second}}
		w := newWorld(t, cfg, func(w *world) {
			ready := w.spawn
			w.spawn = func(s SlotID) {
				switch {
				case s < 2:
					ready(s)
				case s == 2:
					w.start(s) // never ready
				default:
					w.startDead(s, Exit{Status: 7})
				}
			}
		})
		w.log.expect("worker ended")
		pass(10 * time.Second)
		w.worker(1).deaf = true
		w.Retire(1)
		synctest.Wait()
		before, orders := w.Snapshot(), len(w.orders())
		st := suspended(t, w)
		w.resume(t, cfg, st)
		synctest.Wait()
		for i, s := range w.Snapshot() {
			if s != before[i] {
				t.Errorf("slot %d after: %+v, before: %+v", i, s, before[i])
			}
		}
		if n := len(w.orders()); n != orders {
			t.Errorf("%d orders to spawn by the pause, want none", n-orders)
		}
		for _, pid := range []int{before[0].PID, before[1].PID, before[2].PID} {
			w.mu.Lock()
			got := w.procs[pid].got
			w.mu.Unlock()
			if len(got) > 0 && got[len(got)-1] != syscall.SIGTERM || !w.Knows(pid) {
				t.Errorf("process %d got %v by the pause; known: %v", pid, got, w.Knows(pid))
			}
		}
		pass(51 * time.Second) // a minute since slot 2 began to boot and slot 1 was retired
		synctest.Wait()
		if len(w.deaths()) < 3 {
			t.Errorf("deadlines began afresh: %v", w.deaths())
		}
		w.spawnBy(func(s SlotID) { w.Ready(s, w.start(s)) })
		w.stop()
	})
}

// An end that comes before the pool has let go is told by the old pool, one that
// comes after by the new one, and one that nobody can tell any more too.
func TestEndsAroundASuspension(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		vanished, ready := w.worker(1), w.spawn
		w.spawn = func(SlotID) {} // the order is open when the pool is suspended
		w.worker(0).end(Exit{Status: 5})
		st := suspended(t, w)
		if d := w.deaths(); len(d) != 1 || d[0].Exit.Status != 5 || st.Slots[0].Phase != Vacant {
			t.Errorf("the old pool told of %+v and left %+v", d, st.Slots[0])
		}
		delete(w.procs, vanished.pid)
		w.spawn = ready
		w.resume(t, Config{Size: 2}, st)
		synctest.Wait()
		if d := w.deaths(); len(d) != 2 || d[1].PID != vanished.pid || d[1].Exit.Status != -1 {
			t.Errorf("deaths: %+v", d)
		}
		if got := w.phases(); got != "idle idle" {
			t.Errorf("replaced: %s", got)
		}
		w.stop()
		if _, err := w.Suspend(); !errors.Is(err, ErrEnding) {
			t.Errorf("suspend a pool that has ended: %v", err)
		}
	})
}

func TestResumeRefusesWhatNoPoolWrote(t *testing.T) {
	for name, slot := range map[string]Held{
		"no such slot":        {Slot: MaxSize + 1},
		"negative":            {Slot: -1},
		"vacant with process": {PID: 77},
		"idle without":        {Phase: Idle},
		"init":                {Phase: Idle, PID: 1},
	} {
		cfg := Config{Size: 1, Spawn: func(SlotID) {}}
		if _, err := Resume(cfg, State{Slots: []Held{slot}}); !errors.Is(err, errBadState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Resume(Config{Size: 1, Spawn: func(SlotID) {}}, State{Slots: []Held{{}, {}}}); !errors.Is(err, errBadState) {
		t.Errorf("one slot twice: %v", err)
	}
	var p Phase
	var c Cause
	if p.UnmarshalText([]byte("odd")) == nil || c.UnmarshalText([]byte("odd")) == nil {
		t.Error("words that nobody wrote are read")
	}
}

// A process that is let go of lives, is not reaped when it ends, and can be watched
// again.
func TestReleaseLeavesTheProcessAlone(t *testing.T) {
	fdcheck.NoLeak(t)
	noGoroutineLeft(t)
	cmd := testproc.Start(t, "never-ready")
	pid := cmd.Process.Pid
	p := watched(t, pid)
	for range 2 {
		if !p.Release() {
			t.Error("a process that lives was not released")
		}
	}
	if _, ok := <-p.Ended(); ok {
		t.Error("it ended")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := watched(t, pid)
	if x := ended(t, again); x.Signal != syscall.SIGKILL {
		t.Errorf("the second watcher saw %+v", x)
	}
	if again.Release() {
		t.Error("a process that was reaped was released")
	}
}
