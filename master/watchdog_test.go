package master

import (
	"strings"
	"testing"
	"time"
)

// The watchdog must neither restart a service that works nor spare one that
// does not.
func TestWatchdogVerdict(t *testing.T) {
	const now = int64(1000 * time.Second)
	ago := func(d time.Duration) int64 { return now - int64(d) }
	well := []int64{ago(50 * time.Millisecond), ago(100 * time.Millisecond)}
	idle, lost := labour{ready: true, limit: 30 * time.Second}, labour{limit: 30 * time.Second}
	busy := func(d, limit time.Duration) labour { return labour{ready: true, since: ago(d), limit: limit} }
	for _, c := range []struct {
		name    string
		stage   stage
		loops   []int64
		workers []labour
		overdue bool
		probe   time.Duration
		still   time.Duration
		want    string // "" for well, else a part of the reason
	}{
		{name: "all well", stage: serving, loops: well, workers: []labour{idle, idle}},
		{name: "one idle worker is enough", stage: serving, loops: well, workers: []labour{lost, idle}},
		{name: "busy within the limit", stage: serving, loops: well, workers: []labour{busy(29*time.Second, 30*time.Second)}},
		{name: "busy without a limit", stage: serving, loops: well, workers: []labour{busy(time.Hour, 0)}},
		{name: "all stuck", stage: serving, loops: well, workers: []labour{busy(31*time.Second, 30*time.Second)}, want: "no worker"},
		{name: "all dead", stage: serving, loops: well, workers: []labour{lost, lost}, want: "no worker"},
		{name: "no workers at all", stage: serving, loops: well, want: "no worker"},
		{name: "one loop silent", stage: serving, loops: []int64{well[0], ago(16 * time.Second)}, workers: []labour{idle}, want: "loop 1"},
		{name: "a loop never beat", stage: serving, loops: []int64{0}, workers: []labour{idle}, want: "loop 0"},
		{name: "an answer that is due soon", stage: serving, loops: well, workers: []labour{idle}, probe: 14 * time.Second},
		{name: "orders are not obeyed", stage: serving, loops: well, workers: []labour{idle}, probe: 16 * time.Second, want: "does not obey"},
		{name: "nothing moves yet", stage: serving, loops: well, workers: []labour{idle}, still: 59 * time.Second},
		{name: "nothing moves", stage: serving, loops: well, workers: []labour{idle}, still: 61 * time.Second, want: "none was answered for 1m0s"},
		{name: "booting has no gateway yet", stage: booting, loops: []int64{0}},
		{name: "booting for too long", stage: booting, overdue: true, want: "booting"},
		{name: "stopping has no gateway any more", stage: stopping, loops: []int64{0}},
		{name: "stopping for too long", stage: stopping, overdue: true, want: "stopping"},
	} {
		h := health{
			now: now, stage: c.stage, silence: silenceLimit(30 * time.Second),
			loops: c.loops, workers: c.workers, overdue: c.overdue,
			unanswered: c.probe, still: c.still, stillLimit: time.Minute,
		}
		got := h.verdict()
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSilenceLimitIsHalfOfTheInterval(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		30 * time.Second:       15 * time.Second,
		500 * time.Millisecond: time.Second, // a busy machine may take that long
	} {
		if got := silenceLimit(interval); got != want {
			t.Errorf("silenceLimit(%v) = %v, want %v", interval, got, want)
		}
	}
}
