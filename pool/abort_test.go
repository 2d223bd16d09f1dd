package pool

import (
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A worker that missed a deadline is given time to say where it stands.
func TestSIGABRTComesBeforeSIGKILL(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Busy: 10 * time.Second, Abort: 2 * time.Second}, Activity: none}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		stuck := w.worker(0)
		w.set(0, Activity{Busy: true, Since: w.clocks().mono})
		pass(11500 * time.Millisecond)
		if got := w.phases(); got != "aborting" {
			t.Errorf("phase %s, want aborting", got)
		}
		w.set(0, Activity{})
		pass(3 * time.Second)
		want := []syscall.Signal{syscall.SIGABRT, syscall.SIGKILL}
		if !slices.Equal(stuck.signals(), want) {
			t.Errorf("it got %v, want %v", stuck.signals(), want)
		}
		if d := w.deaths(); len(d) != 1 || d[0].Cause != Overran || d[0].From != Killed {
			t.Errorf("deaths %+v, want one, timeout, killed", d)
		}
		w.stop()
	})
}

// What ends by the SIGABRT has ended for the reason for which it was sent.
func TestACauseOutlivesTheAbort(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Boot: 10 * time.Second, Abort: 2 * time.Second}}, func(w *world) {
			w.spawn = func(s SlotID) { w.start(s) }
		})
		w.log.expect("worker ended")
		pass(10500 * time.Millisecond)
		w.worker(0).end(Exit{Status: -1, Signal: syscall.SIGABRT})
		synctest.Wait()
		if d := w.deaths(); len(d) != 1 || d[0].Cause != NeverReady || d[0].From != Aborting {
			t.Errorf("deaths %+v, want one, never ready, aborting", d)
		}
		w.stop()
	})
}

// The limit on a request holds for a worker with other requests, and for one that drains.
func TestARequestLimitHoldsForEveryWorker(t *testing.T) {
	t.Parallel()
	for _, retired := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Size: 1, Limits: Limits{Request: 10 * time.Second, Grace: time.Hour}, Activity: none}, nil)
			w.log.expect("worker ended")
			synctest.Wait()
			w.worker(0).deaf = true
			w.set(0, Activity{Busy: true, Concurrent: true, Since: w.clocks().mono})
			if retired {
				w.Retire(0)
			}
			time.Sleep(9 * time.Second)
			if n := len(w.deaths()); n != 0 {
				t.Errorf("%d deaths before the limit", n)
			}
			time.Sleep(2 * time.Second)
			w.set(0, Activity{})
			if d := w.deaths(); len(d) != 1 || d[0].Cause != Overran {
				t.Errorf("deaths %+v, want one, timeout", d)
			}
			w.stop()
		})
	}
}

func none(SlotID) Activity { return Activity{} }

// What Explain makes of a death is what is told and logged.
func TestExplainHasTheLastWord(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		explain := func(d *Death) {
			if d.Cause == Signalled {
				d.Cause = OutOfMemory
				d.Facts = append(d.Facts, "held", "this")
			}
		}
		w := newWorld(t, Config{Size: 1, Explain: explain}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		w.worker(0).end(Exit{Status: -1, Signal: syscall.SIGKILL})
		synctest.Wait()
		if d := w.deaths(); len(d) != 1 || d[0].Cause != OutOfMemory {
			t.Errorf("deaths %+v, want one, out of memory", d)
		}
		w.stop()
	})
}
