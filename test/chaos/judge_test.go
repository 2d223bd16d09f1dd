package main

import (
	"testing"
	"time"
)

// What a busy machine makes late is explained by what the service said of it, and by
// nothing less.
func TestJudgeOfWhatIsLate(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	b := newBook()
	for _, line := range []string{
		"[2026-11-21 15:30:10 +0000] [226] [ERROR] request 0x1000000000001 GET '/stream/0.09/stream-1' exceeded request_timeout (2 s):",
		"[2026-11-21 15:30:10 +0000] [226] [ERROR] request 0x1000000000002 GET '/stream/0.09/stream-2' is slow, 2.0 s so far:",
	} {
		if name, limit := interruption(line); name != "" {
			b.interrupted(name, limit)
		}
	}
	j := &judge{book: b}
	for _, c := range []struct {
		name  string
		ended float64
		want  bool
	}{{"stream-1", 2.1, true}, {"stream-1", 1.9, false}, {"stream-2", 9, false}} {
		e := entry{kind: "stream", name: c.name, sent: at(0), ended: at(c.ended), outcome: cutShort, status: 200}
		if why, ok := j.explain(e); ok != c.want {
			t.Errorf("%s after %v s: %q, %v; want %v", c.name, c.ended, why, ok, c.want)
		}
	}

	b.spells = []spell{{what: "broken application", from: at(10), to: at(11)}}
	line := `2026-11-21T15:08:49.390Z [WARN]  indrik.pool: worker ended: slot=0 pid=17788 cause="boot failed" from=starting lived=6.418292398s status=3`
	for seconds, want := range map[float64]bool{9: false, 10.5: true, 17: true, 25: false} {
		d := deathOf(fields(line))
		if d.at = at(seconds); j.deserved(d) != want || d.lived < 6*time.Second {
			t.Errorf("a worker that lived %v and ended at %v s: explained %v, want %v", d.lived, seconds, !want, want)
		}
	}
}
