package main

import (
	"flag"
	"strings"
	"testing"
	"time"
)

// seed is that of the first round; the next have the next.
var seed = flag.Uint64("seed", 0, "of the first round; 0 takes one from the clock")

// A short round for each worker class, at the same time. `make chaos` goes on for longer.
func TestNothingIsLostButWhatAFaultExplains(t *testing.T) {
	p := plan{load: 5 * time.Second, racy: raceEnabled, out: t.Output()}
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.prepare(root, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	first := *seed
	if first == 0 {
		first = uint64(time.Now().Unix())
	}
	for n, c := range classes() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := p
			p.class, p.out = c.name, t.Output()
			r, err := newRound(&p, first+uint64(n))
			if err != nil {
				t.Fatal(err)
			}
			defer r.clean()
			result := r.run(t.Context())
			t.Logf("-class %s -seed %d -rounds 1: %s: %s", c.name, r.seed, r.name(), result.line())
			for _, complaint := range result.complaints {
				t.Error(complaint)
			}
			if t.Failed() {
				t.Logf("its log: %s", r.keepLog())
				var text strings.Builder
				result.print(&text)
				t.Log(text.String())
			}
			if sum(result.requests[string(answered)]) == 0 || sum(result.faults) == 0 {
				t.Error("there was no load, or there were no faults")
			}
		})
	}
}
