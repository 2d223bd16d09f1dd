package pool

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/indrik/indrik/internal/fdcheck"
	"github.com/indrik/indrik/internal/testproc"
)

// Between a decision and its signal a worker may end by itself. That is
// lawful and must not be in the log.
func TestASignalToAProcessThatIsDoneIsNoError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Grace: time.Second}}, nil)
		synctest.Wait()
		a := w.worker(0)
		a.fails = os.ErrProcessDone
		w.Retire(0)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}; !slices.Equal(a.got, want) {
			t.Errorf("it got %v, want %v", a.got, want)
		}
		w.log.expect("worker ended") // deaf: its end was told after the grace
		a.end(Exit{})
		w.stop()
	})
}

// A worker that changed its user cannot be signalled. Someone must act; the
// pool says so once for each attempt and goes on.
func TestARefusedSignalIsReported(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1, Limits: Limits{Grace: time.Second}}, nil)
		w.log.expect("retire failed", "kill failed", "worker ended")
		synctest.Wait()
		a := w.worker(0)
		a.fails = syscall.EPERM
		w.Retire(0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.phases(); got != "killed" || w.log.count("kill failed") != 1 {
			t.Errorf("phase %s, %d lines, want killed and 1", got, w.log.count("kill failed"))
		}
		a.end(Exit{})
		w.stop()
	})
}

// A mistake of ours must be visible and must not move the slot.
func TestAnUnlawfulMoveIsReported(t *testing.T) {
	t.Parallel()
	log := &logbook{}
	log.expect("slot move refused")
	p, err := New(Config{
		Size: 1, Spawn: func(SlotID) {}, Log: log.logger(),
		Changed: func(c Change) { t.Errorf("told of %+v", c) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.move(p.slots[0], Taken, at(1), nil)
	if got := p.slots[0].phase; got != Vacant {
		t.Errorf("phase %v, want vacant", got)
	}
	log.check(t)
	if got, want := (&MoveError{Vacant, Taken}).Error(), "slot is vacant: event taken is not lawful"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The surplus process of an order that was given twice is killed even if it
// cannot be watched.
func TestASurplusProcessIsEndedInAnyCase(t *testing.T) {
	fdcheck.NoLeak(t)
	cmd := testproc.Start(t, "never-ready")
	pid := cmd.Process.Pid
	log := &logbook{}
	log.expect("watch of surplus worker failed")
	p, err := New(Config{Size: 1, Spawn: func(SlotID) {}, Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	p.watch = func(int, func(Exit)) (process, error) { return nil, syscall.EMFILE }
	p.kin.add(pid)
	p.adoptStray(wasSpawned{slot: 0, pid: pid})
	for deadline := time.Now().Add(limit); p.Knows(pid); {
		if time.Now().After(deadline) {
			t.Fatal("it was not reaped")
		}
		time.Sleep(ms) // Knows is all there is to ask
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("signal 0 to it: got %v, want ESRCH", err)
	}
	log.check(t)
}

// A number that is not our child's must not be killed for want of a pidfd.
func TestAStrangerIsNotEnded(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Size: 1, Spawn: func(SlotID) {}})
	if err != nil {
		t.Fatal(err)
	}
	self := os.Getpid() // not our own child; being killed is how this test fails
	p.kin.add(self)
	p.abandon(wasSpawned{pid: self})
	if p.Knows(self) {
		t.Error("it is still known")
	}
}

// Kill reaches also the processes that are in no slot.
func TestKillReachesSurplusProcesses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, Config{Size: 1}, nil)
		w.log.expect("surplus worker killed", "kill failed")
		synctest.Wait()
		extra := w.birth()
		extra.fails = syscall.EPERM
		w.Spawned(0, extra.pid)
		synctest.Wait()
		w.mu.Lock()
		extra.fails = nil
		w.mu.Unlock()
		w.Kill()
		if err := <-w.ran; err != nil {
			t.Error(err)
		}
		if want := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL}; !slices.Equal(extra.got, want) {
			t.Errorf("it got %v, want %v", extra.got, want)
		}
	})
}
