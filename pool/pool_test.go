package pool

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// activityWanted makes a world answer Activity from its own table.
func activityWanted(SlotID) Activity { return Activity{} }

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Size: 1, Spawn: func(SlotID) {}}
	if _, err := New(good); err != nil {
		t.Fatalf("the smallest config: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"no slot":              func(c *Config) { c.Size = 0 },
		"too many slots":       func(c *Config) { c.Size = MaxSize + 1 },
		"no Spawn":             func(c *Config) { c.Spawn = nil },
		"negative limit":       func(c *Config) { c.Limits.Grace = -1 },
		"busy without sight":   func(c *Config) { c.Limits.Busy = 1 },
		"beat without sight":   func(c *Config) { c.Limits.Beat = 1 },
		"negative budget":      func(c *Config) { c.Budget.Restarts = -1 },
		"backoff upside down":  func(c *Config) { c.Budget = Budget{BackoffMin: 2, BackoffMax: 1} },
		"negative backoff":     func(c *Config) { c.Budget.BackoffMin = -1 },
		"negative period":      func(c *Config) { c.Budget.Period = -1 },
		"negative longest":     func(c *Config) { c.Budget.BackoffMax = -1 },
		"negative number":      func(c *Config) { c.Size = -1 },
		"negative boot limit":  func(c *Config) { c.Limits.Boot = -1 },
		"negative other limit": func(c *Config) { c.Activity = activityWanted; c.Limits.Beat = -1 },
	} {
		bad := good
		spoil(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFillsAndDrains(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 3}, nil)
		synctest.Wait()
		if got := w.phases(); got != "idle idle idle" {
			t.Errorf("after the start: %s", got)
		}
		w.stop()
		for _, d := range w.deaths() {
			if d.Cause != Asked || d.From != Draining || !d.Booted {
				t.Errorf("death %+v, want asked, from draining, booted", d)
			}
		}
		if len(w.deaths()) != 3 || w.Snapshot() != nil {
			t.Errorf("%d deaths, snapshot %v, want 3 and none", len(w.deaths()), w.Snapshot())
		}
		if err := w.Run(context.Background()); !errors.Is(err, ErrRan) {
			t.Errorf("second run: got %v, want ErrRan", err)
		}
		w.Spawned(0, 77) // a fact that comes too late is not kept
		if w.Knows(77) {
			t.Error("a pool that has ended took a process")
		}
	})
}

// A context that ended before Run must not fork a single worker.
func TestNothingIsOrderedAfterTheEnd(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Size: 1, Spawn: func(SlotID) { t.Error("spawn ordered") }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestTheFirstCrashIsReplacedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, nil)
		w.log.expect("worker ended")
		time.Sleep(time.Second)
		w.worker(0).end(Exit{Status: 1})
		synctest.Wait()
		if want := []time.Duration{0, time.Second}; !slices.Equal(w.orders(), want) {
			t.Errorf("ordered at %v, want %v", w.orders(), want)
		}
		d := w.deaths()[0]
		if d.Cause != Crashed || d.From != Idle || d.Lived != time.Second || d.Exit.Status != 1 {
			t.Errorf("death %+v, want crashed, idle, 1s, status 1", d)
		}
		w.stop()
	})
}

// An application that cannot start must not be started in a tight loop.
func TestDeathsBeforeReadyBackOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Budget: Budget{BackoffMin: 100 * ms, BackoffMax: 400 * ms}}, func(w *world) {
			w.spawn = func(s SlotID) { w.startDead(s, Exit{Status: 3}) }
		})
		w.log.expect("worker ended")
		time.Sleep(1200 * ms)
		synctest.Wait()
		want := []time.Duration{0, 0, 100 * ms, 300 * ms, 700 * ms, 1100 * ms}
		if !slices.Equal(w.orders(), want) {
			t.Errorf("ordered at %v, want %v", w.orders(), want)
		}
		w.stop()
	})
}

const ms = time.Millisecond

// Somebody who kills workers by hand gets a new one each time, until that
// happens too often.
func TestKillsWithinTheBudgetThenBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const allowed = 20
		w := newWorld(t, Config{Size: 4, Budget: Budget{Restarts: allowed, Period: time.Minute, BackoffMin: time.Second}}, nil)
		w.log.expect("worker ended", "restart budget spent")
		synctest.Wait()
		for i := range allowed {
			w.worker(SlotID(i % 4)).end(Exit{Status: -1, Signal: syscall.SIGKILL})
			synctest.Wait()
		}
		if got := len(w.orders()); got != 4+allowed || w.log.count("restart budget spent") != 0 {
			t.Fatalf("%d orders for %d kills, want %d, and budget left", got, allowed, 4+allowed)
		}
		w.worker(0).end(Exit{Status: -1, Signal: syscall.SIGKILL})
		synctest.Wait()
		state := w.Snapshot()[0]
		if state.Phase != Vacant || state.Wait != time.Second || state.Ordered {
			t.Errorf("past the budget: %+v, want vacant, 1s to wait", state)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.phases(); got != "idle idle idle idle" {
			t.Errorf("after the wait: %s", got)
		}
		if got := w.log.count("restart budget spent"); got != 1 {
			t.Errorf("the budget was reported %d times, want once", got)
		}
		w.stop()
	})
}

func TestARefusedSpawnIsTriedAgainAfterAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Budget: Budget{BackoffMin: 100 * ms}}, func(w *world) {
			w.spawn = func(s SlotID) { w.SpawnFailed(s, syscall.EAGAIN) }
		})
		w.log.expect("spawn failed")
		time.Sleep(350 * ms)
		synctest.Wait()
		if want := []time.Duration{0, 100 * ms, 300 * ms}; !slices.Equal(w.orders(), want) {
			t.Errorf("ordered at %v, want %v", w.orders(), want)
		}
		if w.SpawnPending() {
			t.Error("the answered orders still count as pending")
		}
		w.SpawnFailed(0, syscall.EAGAIN) // answers nothing
		w.SpawnFailed(9, syscall.EAGAIN) // no such slot
		w.stop()
	})
}

// A mold that died with our order must not leave the slot vacant for ever,
// and the process it may have made after all must not be one too many.
func TestAnUnansweredOrderIsGivenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Boot: 5 * time.Second}}, func(w *world) {
			w.spawn = func(SlotID) {}
		})
		w.log.expect("spawn order expired", "surplus worker killed")
		synctest.Wait()
		if !w.SpawnPending() || !w.Snapshot()[0].Ordered {
			t.Error("the order does not count as pending")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if want := []time.Duration{0, 5 * time.Second}; !slices.Equal(w.orders(), want) {
			t.Fatalf("ordered at %v, want %v", w.orders(), want)
		}
		w.Ready(0, w.start(0))
		late := w.birth()
		w.Spawned(0, late.pid)
		if !w.Knows(late.pid) {
			t.Error("a sweep could take the late one")
		}
		synctest.Wait()
		if !slices.Equal(late.got, []syscall.Signal{syscall.SIGKILL}) || w.Knows(late.pid) {
			t.Errorf("the late one got %v, known %t, want SIGKILL and reaped", late.got, w.Knows(late.pid))
		}
		if got := w.phases(); got != "idle" || w.SpawnPending() {
			t.Errorf("phases %q, pending %t", got, w.SpawnPending())
		}
		w.stop()
	})
}

// Two messengers bring the news of a new worker; either may be faster.
func TestReadyMayBeToldBeforeSpawned(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, func(w *world) {
			w.spawn = func(s SlotID) {
				a := w.birth()
				w.Ready(s, a.pid)
				w.Spawned(s, a.pid)
			}
		})
		synctest.Wait()
		if got := w.phases(); got != "idle" {
			t.Errorf("got %s, want idle", got)
		}
		w.stop()
	})
}

// What was said for or by an earlier worker must not count for this one.
func TestLateMessagesAreIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, func(w *world) {
			w.spawn = func(s SlotID) { w.start(s) }
		})
		synctest.Wait()
		pid := w.Snapshot()[0].PID
		w.Ready(0, pid+1)
		w.Ready(7, pid)
		w.Failed(7, LoadFailed)
		w.Retire(7)
		w.Spawned(0, pid) // told twice
		synctest.Wait()
		if got := w.phases(); got != "starting" || !w.Knows(pid) {
			t.Errorf("got %s, known %t, want starting, true", got, w.Knows(pid))
		}
		w.Ready(0, pid)
		w.Ready(0, pid)
		w.Failed(0, LoadFailed) // it is ready, so this was another's
		synctest.Wait()
		if got := w.phases(); got != "idle" {
			t.Errorf("got %s, want idle", got)
		}
		w.log.expect("worker ended")
		w.worker(0).end(Exit{Status: 1})
		synctest.Wait()
		if got := w.deaths()[0].Cause; got != Crashed {
			t.Errorf("cause %v, want crashed", got)
		}
		w.stop()
	})
}

// A worker that ended and was reaped by a sweep before the pool was told is
// dead like any other.
func TestAProcessThatVanishedIsADeath(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, func(w *world) { w.vanished = true })
		w.log.expect("worker ended")
		synctest.Wait()
		if len(w.deaths()) == 0 || w.deaths()[0].Cause != Crashed || w.deaths()[0].Exit.Status != -1 {
			t.Fatalf("deaths %+v, want one that crashed with status -1", w.deaths())
		}
		w.Spawned(5, 1<<30) // neither the slot nor the process exists
		synctest.Wait()
		if w.Knows(w.deaths()[0].PID) || w.Knows(1<<30) {
			t.Error("a process that is gone is still known")
		}
		w.stop()
	})
}
