package pool

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWorkersServeAndDrain(t *testing.T) {
	c := newCrew(t, Config{Size: 2, Limits: Limits{Grace: limit, Beat: limit}}, always("serves"))
	c.untilPhase(Idle)
	c.untilPhase(Idle)
	c.stop()
	for range 2 {
		if d := c.untilDeath(); d.Cause != Asked || d.Exit.Status != 0 || d.From != Draining {
			t.Errorf("death %+v, want asked, status 0, from draining", d)
		}
	}
}

// What each kind of worker dies of, and that the next one serves.
func TestTheGallery(t *testing.T) {
	cases := []struct {
		part   string
		limits Limits
		do     func(*crew) // once the worker is idle
		cause  Cause
		booted bool
	}{
		{part: "dies-first", cause: Crashed},
		{part: "never-ready", limits: Limits{Boot: 500 * ms}, cause: NeverReady},
		{part: "deaf-to-retire", limits: Limits{Grace: time.Second}, do: func(c *crew) { c.Retire(0) }, cause: Deaf, booted: true},
		{part: "beats-but-hangs", limits: Limits{Busy: 200 * ms, Beat: limit}, cause: Overran, booted: true},
		{part: "stops-beating", limits: Limits{Beat: 300 * ms}, cause: Silent, booted: true},
		{part: "serves", do: func(c *crew) { c.signal(0, syscall.SIGSEGV) }, cause: Crashed, booted: true},
		{part: "serves", do: func(c *crew) { c.signal(0, syscall.SIGKILL) }, cause: Signalled, booted: true},
		{part: "serves", do: func(c *crew) { c.signal(0, syscall.SIGTERM) }, cause: Left, booted: true},
		{part: "serves", limits: Limits{Beat: 300 * ms}, do: func(c *crew) { c.signal(0, syscall.SIGSTOP) }, cause: Silent, booted: true},
	}
	for i, k := range cases {
		t.Run(fmt.Sprintf("%d %s %v", i, k.part, k.cause), func(t *testing.T) {
			c := newCrew(t, Config{Size: 1, Limits: k.limits}, once(k.part))
			c.log.expect("worker ended")
			if k.do != nil {
				c.untilPhase(Idle)
				k.do(c)
			}
			d := c.untilDeath()
			if d.Cause != k.cause || d.Booted != k.booted {
				t.Errorf("death %+v, want %v, booted %t", d, k.cause, k.booted)
			}
			if next := c.untilPhase(Idle); next.PID == d.PID {
				t.Errorf("the next worker is the last: %+v", next)
			}
			c.stop()
			if got := c.log.count("worker ended"); got != 1 {
				t.Errorf("%d lines about 1 death", got)
			}
		})
	}
}

// signal sends sig to the worker of slot s from outside the pool.
func (c *crew) signal(s SlotID, sig syscall.Signal) {
	c.t.Helper()
	if err := syscall.Kill(c.Snapshot()[s].PID, sig); err != nil {
		c.t.Fatal(err)
	}
}

// A user whose worker crashed waits for the next one: the order must come at
// once.
func TestReplacementIsOrderedWithinMilliseconds(t *testing.T) {
	c := newCrew(t, Config{Size: 1}, always("serves"))
	c.log.expect("worker ended")
	c.untilPhase(Idle)
	<-c.orders
	killed := time.Now()
	c.signal(0, syscall.SIGKILL)
	ordered := <-c.orders
	c.untilPhase(Idle)
	took := ordered.Sub(killed)
	t.Logf("killed to ordered: %v, to ready: %v", took, time.Since(killed))
	if took > time.Second {
		t.Errorf("the replacement was ordered after %v", took)
	}
	c.stop()
}

// Twenty kills by hand are twenty replacements; the next one waits.
func TestTwentyKillsInARow(t *testing.T) {
	const kills = 20
	c := newCrew(t, Config{
		Size:   2,
		Budget: Budget{Restarts: kills, Period: time.Minute, BackoffMin: 300 * ms},
	}, always("serves"))
	c.log.expect("worker ended", "restart budget spent")
	c.untilPhase(Idle)
	c.untilPhase(Idle)
	var slowest time.Duration
	for len(c.orders) > 0 {
		<-c.orders
	}
	for i := range kills + 1 {
		killed := time.Now()
		c.signal(SlotID(i%2), syscall.SIGKILL)
		took := (<-c.orders).Sub(killed)
		c.untilPhase(Idle)
		if i < kills {
			slowest = max(slowest, took)
		} else if took < 300*ms {
			t.Errorf("kill %d, past the budget: ordered after %v, want a wait of 300ms", i+1, took)
		}
	}
	t.Logf("slowest of %d orders: %v", kills, slowest)
	if slowest > time.Second {
		t.Errorf("within the budget an order took %v", slowest)
	}
	c.stop()
}

// The worker is a zombie before the pool hears its number.
func TestAWorkerThatDiedBeforeItWasTold(t *testing.T) {
	first := true
	c := newCrew(t, Config{Size: 1}, once("dies-first"), func(c *crew) {
		c.started = func(_ SlotID, p *os.Process) {
			if !first {
				return
			}
			first = false
			var info siginfo
			if err := waitid(unix.P_PID, p.Pid, &info, unix.WEXITED|unix.WNOWAIT); err != nil {
				t.Error(err)
			}
		}
	})
	c.log.expect("worker ended")
	if d := c.untilDeath(); d.Cause != Crashed || d.Exit.Status != 3 || d.From != Starting {
		t.Errorf("death %+v, want crashed, status 3, from starting", d)
	}
	c.untilPhase(Idle)
	c.stop()
}

func TestKillEndsTheDeaf(t *testing.T) {
	c := newCrew(t, Config{Size: 2, Limits: Limits{Grace: time.Hour}}, always("deaf-to-retire"))
	c.untilPhase(Idle)
	c.untilPhase(Idle)
	c.cancel(errTestOver)
	c.untilPhase(Draining)
	c.untilPhase(Draining)
	c.Kill()
	c.end()
	for range 2 {
		if d := c.untilDeath(); d.Cause != Asked || d.Exit.Signal != syscall.SIGKILL {
			t.Errorf("death %+v, want asked, by SIGKILL", d)
		}
	}
}

// When descriptors run out a process cannot be watched. It must not run on
// unseen, nor stay behind as a zombie.
func TestAProcessThatCannotBeWatchedIsEnded(t *testing.T) {
	var refused int
	c := newCrew(t, Config{Size: 1, Budget: Budget{BackoffMin: 10 * ms}}, once("never-ready"), func(c *crew) {
		watch := c.watch
		c.watch = func(pid int, ended func(Exit)) (process, error) {
			if refused == 0 {
				refused = pid
				return nil, fmt.Errorf("open pidfd of process %d: %w", pid, unix.EMFILE)
			}
			return watch(pid, ended)
		}
	})
	c.log.expect("watch failed")
	c.untilPhase(Idle)
	c.stop()
	for deadline := time.Now().Add(limit); c.Knows(refused); {
		if time.Now().After(deadline) {
			t.Fatal("it was not reaped")
		}
		time.Sleep(ms) // Knows is all there is to ask
	}
	if err := syscall.Kill(refused, 0); err != syscall.ESRCH {
		t.Errorf("signal 0 to it: got %v, want ESRCH", err)
	}
}
