package pool

import (
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestResizeRetiresAndAdds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 3, Limits: Limits{Grace: time.Minute}}, nil)
		synctest.Wait()
		w.worker(2).deaf = true
		w.Resize(1)
		synctest.Wait()
		if got := w.phases(); got != "idle draining" {
			t.Errorf("made smaller: %s, want idle, and the deaf one draining", got)
		}
		w.Resize(4)
		synctest.Wait()
		if got := w.phases(); got != "idle idle draining idle" {
			t.Errorf("made larger: %s", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		w.log.expect("worker ended") // the deaf one
		if got := w.phases(); got != "idle idle idle idle" {
			t.Errorf("a minute later: %s", got)
		}
		for _, n := range []struct{ ask, want int }{{0, 1}, {-3, 1}, {MaxSize + 5, MaxSize}, {2, 2}} {
			w.Resize(n.ask)
			synctest.Wait()
			if got := len(w.Snapshot()); got != n.want {
				t.Errorf("resize to %d: %d slots, want %d", n.ask, got, n.want)
			}
		}
		w.stop()
	})
}

// A signal for one process reaches that one only, and nobody once it is replaced.
func TestSignalOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2}, nil)
		synctest.Wait()
		first := w.worker(1)
		w.SignalOne(1, first.pid, syscall.SIGUSR1)
		w.SignalOne(1, w.worker(0).pid, syscall.SIGUSR1)
		w.SignalOne(7, first.pid, syscall.SIGUSR1)
		w.Retire(1)
		synctest.Wait()
		w.SignalOne(1, first.pid, syscall.SIGUSR1)
		synctest.Wait()
		if want := []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM}; !slices.Equal(first.got, want) {
			t.Errorf("the first worker got %v, want %v", first.got, want)
		}
		if others := append(w.worker(0).got, w.worker(1).got...); len(others) != 0 {
			t.Errorf("others got %v", others)
		}
		w.stop()
	})
}

// A worker that is replaced on request was not at fault: no wait, no charge.
func TestRetireReplacesWithoutCharge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Budget: Budget{Restarts: 1}}, nil)
		for range 5 {
			synctest.Wait()
			old := w.worker(1)
			w.Retire(1)
			synctest.Wait()
			if !slices.Equal(old.got, []syscall.Signal{syscall.SIGTERM}) {
				t.Errorf("it got %v, want one SIGTERM", old.got)
			}
			if now := w.worker(1); now == old {
				t.Error("the worker was not replaced")
			}
		}
		if got := w.Snapshot()[1].Restarts; got != 0 || len(w.orders()) != 7 {
			t.Errorf("%d restarts charged, %d orders, want 0 and 7", got, len(w.orders()))
		}
		w.stop()
	})
}

// A worker that cannot be used is ended for the caller's reason, before and
// after it was ready; its successor in the slot is not touched.
func TestDismissEndsAWorkerForACause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, func(w *world) { w.spawn = func(s SlotID) { w.start(s) } })
		w.log.expect("worker ended")
		synctest.Wait()
		first := w.Snapshot()[0].PID
		w.Dismiss(0, first, BootFailed)
		time.Sleep(time.Minute) // of the bubble: the pause after a failed boot
		synctest.Wait()
		deaths := w.deaths()
		if len(deaths) != 1 || deaths[0].Cause != BootFailed || deaths[0].PID != first {
			t.Fatalf("deaths: %+v, want one of process %d that failed to boot", deaths, first)
		}
		second := w.Snapshot()[0].PID
		w.Dismiss(0, first, BootFailed)
		synctest.Wait()
		if w.Snapshot()[0].PID != second || len(w.deaths()) != 1 {
			t.Error("a late word about one worker ended its successor")
		}
		w.stop()
	})
}

func TestDrainKillsTheDeafAfterGrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Limits: Limits{Grace: 30 * time.Second}}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		w.worker(1).deaf = true
		w.stop()
		if got := time.Since(w.origin); got != 30*time.Second {
			t.Errorf("drained in %v, want 30s", got)
		}
		if a, b := w.deaths()[0], w.deaths()[1]; a.Cause != Asked || b.Cause != Deaf || b.From != Killed {
			t.Errorf("deaths %+v, want asked, then deaf from killed", w.deaths())
		}
	})
}

func TestKillEndsEverythingNow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Limits: Limits{Grace: time.Hour}}, nil)
		synctest.Wait()
		w.worker(0).deaf, w.worker(1).deaf = true, true
		w.cancel(errTestOver)
		synctest.Wait()
		if got := w.phases(); got != "draining draining" {
			t.Fatalf("draining: %s", got)
		}
		w.Kill()
		if err := <-w.ran; err != nil {
			t.Error(err)
		}
		if got := time.Since(w.origin); got != 0 {
			t.Errorf("killed in %v, want at once", got)
		}
		for _, d := range w.deaths() {
			if d.Cause != Asked || d.Exit.Signal != syscall.SIGKILL {
				t.Errorf("death %+v, want asked, by SIGKILL", d)
			}
		}
	})
}

// A fork that is under way when the pool ends must not become a worker that
// nobody owns.
func TestTheEndWaitsForOrders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 2, Limits: Limits{Grace: 10 * time.Second}}, func(w *world) {
			w.spawn = func(SlotID) {}
		})
		w.log.expect("spawn order expired") // that of slot 1
		synctest.Wait()
		w.cancel(errTestOver)
		time.Sleep(time.Second)
		late := w.birth()
		w.Spawned(0, late.pid)
		if err := <-w.ran; err != nil {
			t.Error(err)
		}
		if got := time.Since(w.origin); got != 10*time.Second {
			t.Errorf("ended after %v, want 10s, the grace for the order of slot 1", got)
		}
		if !slices.Equal(late.got, []syscall.Signal{syscall.SIGTERM}) || w.Knows(late.pid) {
			t.Errorf("the late one got %v, known %t, want SIGTERM and reaped", late.got, w.Knows(late.pid))
		}
	})
}

// A pool that kills waits a second for forks under way, which is no trouble to tell of.
func TestKillGivesUpOldOrders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, func(w *world) {
			w.spawn = func(SlotID) {}
		})
		synctest.Wait()
		time.Sleep(2 * time.Second)
		w.Kill()
		if err := <-w.ran; err != nil {
			t.Error(err)
		}
		if got := time.Since(w.origin); got != 2*time.Second {
			t.Errorf("ended after %v, want 2s, at once", got)
		}
	})
}

func TestActivityMovesBetweenIdleAndBusy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Activity: activityWanted, Limits: Limits{Busy: 10 * time.Second}}, nil)
		synctest.Wait()
		for range 30 { // each of 30 requests is short; together they are longer than the limit
			w.set(0, Activity{Busy: true, Since: w.clocks().mono})
			time.Sleep(time.Second)
			synctest.Wait()
			if got := w.phases(); got != "busy" {
				t.Fatalf("with a request: %s", got)
			}
		}
		w.set(0, Activity{})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.phases(); got != "idle" {
			t.Errorf("without: %s", got)
		}
		w.set(0, Activity{Busy: true, Since: w.clocks().mono})
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if len(w.deaths()) != 0 {
			t.Fatalf("killed too early: %+v", w.deaths())
		}
		w.log.expect("worker ended")
		time.Sleep(time.Second)
		synctest.Wait()
		if len(w.deaths()) != 1 || w.deaths()[0].Cause != Overran || w.deaths()[0].From != Killed {
			t.Errorf("after 10s: %+v, want one timeout", w.deaths())
		}
		w.set(0, Activity{})
		w.stop()
	})
}

// Who died with a request in hand is known even if the request began after
// the last tick.
func TestTheLastActivityIsReadAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Activity: activityWanted}, nil)
		w.log.expect("worker ended")
		time.Sleep(10*time.Second + ms) // just after a tick
		synctest.Wait()
		a := w.worker(0) // asking for it makes the owner look, so the request comes after
		w.set(0, Activity{Busy: true, Since: w.clocks().mono})
		a.end(Exit{Status: -1, Signal: syscall.SIGSEGV})
		synctest.Wait()
		if got := w.deaths()[0].From; got != Busy {
			t.Errorf("it died while %v, want busy", got)
		}
		w.set(0, Activity{})
		w.stop()
	})
}

// After the machine was suspended, or the master stopped, nobody is killed for
// the time that passed; those who hang nevertheless are, one limit later.
func TestNobodyIsKilledForTimeThatWasSlept(t *testing.T) {
	limits := Limits{Busy: 10 * time.Second, Beat: 5 * time.Second}
	for name, sleep := range map[string]func(*world){
		"stopped":   func(w *world) { w.stopped += time.Hour },
		"suspended": func(w *world) { w.asleep += time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, Config{Size: 2, Activity: activityWanted, Limits: limits}, nil)
				w.log.expect("worker ended", "pool was stopped")
				synctest.Wait()
				w.set(0, Activity{Beat: w.clocks().mono})
				w.set(1, Activity{Busy: true, Since: w.clocks().mono})
				time.Sleep(4500 * ms) // between two ticks
				w.mu.Lock()
				sleep(w)
				w.mu.Unlock()
				time.Sleep(5400 * ms) // it woke at 5 s, so a limit later is 10 s
				synctest.Wait()
				if len(w.deaths()) != 0 {
					t.Fatalf("killed on waking: %+v", w.deaths())
				}
				time.Sleep(100 * ms)
				synctest.Wait()
				if len(w.deaths()) != 1 || w.deaths()[0].Cause != Silent || w.log.count("pool was stopped") != 1 {
					t.Errorf("one limit later: %+v, want the silent one killed and one line", w.deaths())
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				overran := slices.ContainsFunc(w.deaths(), func(d Death) bool { return d.Cause == Overran })
				if !overran {
					t.Errorf("one limit later: %+v, want the busy one killed", w.deaths())
				}
				w.Kill()
				if err := <-w.ran; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestNeverReadyIsKilled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Boot: 5 * time.Second}}, func(w *world) {
			w.spawn = func(s SlotID) { w.start(s) }
		})
		w.log.expect("worker ended")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(w.deaths()) != 1 || w.deaths()[0].Cause != NeverReady || w.deaths()[0].Booted {
			t.Errorf("deaths %+v, want one that was never ready", w.deaths())
		}
		w.stop()
	})
}

// The word of the worker is the reason; if it comes after the end, the status
// is.
func TestWhatAWorkerSaysIsItsCause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Statuses: map[int]Cause{3: BootFailed}}, func(w *world) {
			w.spawn = func(s SlotID) {
				if len(w.orders()) > 1 {
					w.startDead(s, Exit{Status: 3})
					return
				}
				w.start(s)
				w.Failed(s, LoadFailed)
			}
		})
		w.log.expect("worker ended")
		synctest.Wait()
		w.worker(0).end(Exit{Status: 3})
		synctest.Wait()
		if len(w.deaths()) < 2 || w.deaths()[0].Cause != LoadFailed || w.deaths()[1].Cause != BootFailed {
			t.Errorf("deaths %+v, want load failed, then boot failed", w.deaths())
		}
		w.stop()
	})
}
