package desk

import (
	"os"
	"testing"
	"time"
)

// Those who ask again and again cost one part in memoryShare of the time, whatever a look
// takes, and what one look took too much is paid back.
func TestMemoryIsLookedAtForAShareOfTheTime(t *testing.T) {
	t.Parallel()
	var c credit
	now := time.Now()
	c.earn(now)
	if c.spare != memoryBurst {
		t.Fatalf("at first there are %v, want %v", c.spare, memoryBurst)
	}
	const look = 300 * time.Microsecond
	var spent time.Duration
	const asked = 600 // times, a second apart
	for range asked {
		now = now.Add(time.Second)
		for c.earn(now); c.left() && spent < time.Hour; spent += look {
			c.spare -= look
		}
	}
	if most := asked*time.Second/memoryShare + memoryBurst + look; spent > most || spent < most*9/10 {
		t.Errorf("in %d s %v were spent, want nearly %v", asked, spent, most)
	}
	c.spare = -time.Second // one very large process
	for seconds := 1; seconds <= memoryShare; seconds++ {
		if now = now.Add(time.Second); c.left() {
			t.Fatalf("after %d s the debt is paid", seconds)
		}
		c.earn(now)
	}
	c.earn(now.Add(time.Hour))
	if c.spare != memoryBurst {
		t.Errorf("after an hour there are %v, want %v", c.spare, memoryBurst)
	}
}

// What cannot be looked at for want of credit is told as it was, and comes first later.
func TestVitalsWithoutCredit(t *testing.T) {
	t.Parallel()
	var v Vitals
	pids := []int{os.Getpid(), os.Getppid()}
	first := v.of(pids, nil)
	if first[os.Getpid()].Memory == 0 || first[os.Getpid()].weighed.IsZero() {
		t.Errorf("at first: %+v", first[os.Getpid()])
	}
	v.credit.spare = -time.Hour
	for pid, known := range v.known { // a while ago
		known.At, known.weighed = known.At.Add(-time.Minute), known.weighed.Add(-time.Minute)
		v.known[pid] = known
	}
	second := v.of(pids, nil)
	for _, pid := range pids {
		if got := second[pid]; got.Memory != first[pid].Memory || time.Since(got.At) > 30*time.Second || time.Since(got.weighed) < 30*time.Second {
			t.Errorf("without credit: %+v, before %+v", got, first[pid])
		}
	}
	v.credit.spare = time.Second
	if third := v.of(pids, nil)[os.Getpid()]; time.Since(third.weighed) > 30*time.Second {
		t.Errorf("with credit: %+v", third)
	}
	if v.credit.spare >= time.Second {
		t.Error("it cost nothing")
	}
}
