package pool

import (
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// More time is for the phase it was asked in, and never less than there was.
func TestAWorkerThatAsksGetsMoreTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Boot: 10 * time.Second, Grace: 10 * time.Second}}, func(w *world) {
			w.spawn = func(s SlotID) { w.start(s) }
		})
		synctest.Wait()
		slow := w.worker(0)
		slow.deaf = true
		pass(9 * time.Second)
		w.Extend(0, slow.pid, 20*time.Second)
		w.Extend(0, slow.pid, time.Second) // shorter than what it has
		w.Extend(0, slow.pid+1, time.Hour) // somebody else
		w.Extend(7, slow.pid, time.Hour)   // nobody's slot
		pass(19 * time.Second)
		synctest.Wait()
		if got := w.phases(); got != "starting" {
			t.Errorf("within the time it asked for: %s", got)
		}
		w.Ready(0, slow.pid)
		w.Retire(0)
		pass(9 * time.Second)
		synctest.Wait()
		if got := w.phases(); got != "draining" {
			t.Errorf("within the limit of the next phase: %s", got)
		}
		pass(2 * time.Second)
		synctest.Wait()
		w.log.expect("worker ended")
		if deaths := w.deaths(); len(deaths) != 1 || deaths[0].Cause != Deaf || deaths[0].Lived != 38*time.Second {
			t.Errorf("deaths %+v, want a deaf one after 28 s + 10 s", deaths)
		}
		w.stop()
	})
}

// Not every program leaves at SIGTERM; nginx finishes its requests at SIGQUIT.
func TestTheStopSignalIsTheOneWanted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, StopSignal: syscall.SIGQUIT, Limits: Limits{Grace: time.Minute}}, nil)
		synctest.Wait()
		first := w.worker(0)
		first.deaf = true
		w.Retire(0)
		synctest.Wait()
		if !slices.Equal(first.signals(), []syscall.Signal{syscall.SIGQUIT}) {
			t.Errorf("it got %v, want one SIGQUIT", first.signals())
		}
		first.end(Exit{Status: -1, Signal: syscall.SIGQUIT})
		synctest.Wait()
		if deaths := w.deaths(); len(deaths) != 1 || deaths[0].Cause != Asked {
			t.Errorf("deaths %+v, want one that was asked for", deaths)
		}
		w.Kill() // made-up processes know SIGTERM only
		if err := <-w.ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
