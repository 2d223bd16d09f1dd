package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// tally counts what came of a round, or of all.
type tally struct {
	rounds     int
	requests   map[string]map[string]int // by how it ended and why, then by the kind
	deaths     map[string]int            // of workers, by cause and reason
	faults     map[string]int
	complaints []string
}

func newTally() *tally {
	return &tally{requests: map[string]map[string]int{}, deaths: map[string]int{}, faults: map[string]int{}}
}

func (t *tally) complain(format string, args ...any) {
	t.complaints = append(t.complaints, fmt.Sprintf(format, args...))
}

func (t *tally) count(why, kind string, n int) {
	if t.requests[why] == nil {
		t.requests[why] = map[string]int{}
	}
	t.requests[why][kind] += n
}

func (t *tally) request(e entry, why string) {
	kind := e.kind
	if len(deeds([]string{kind})) > 0 {
		kind = "deeds"
	}
	t.count(why, kind, 1)
}

func (t *tally) death(d death) {
	words := d.cause
	for _, more := range []string{d.reason, d.signal} {
		if more != "" {
			words += ", " + more
		}
	}
	t.deaths[words]++
}

func (t *tally) add(other *tally) {
	t.rounds++
	for why, kinds := range other.requests {
		for kind, n := range kinds {
			t.count(why, kind, n)
		}
	}
	for words, n := range other.deaths {
		t.deaths[words] += n
	}
	for name, n := range other.faults {
		t.faults[name] += n
	}
	t.complaints = append(t.complaints, other.complaints...)
}

// sum adds up a row.
func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// line is a round in few words.
func (t *tally) line() string {
	good, all := 0, 0
	for why, kinds := range t.requests {
		if all += sum(kinds); why == string(answered) || why == string(left) {
			good += sum(kinds)
		}
	}
	return fmt.Sprintf("%d faults, %d workers ended, %d requests, %d lost to a fault, %d complaints",
		sum(t.faults), sum(t.deaths), all, all-good, len(t.complaints))
}

// print writes everything.
func (t *tally) print(to io.Writer) {
	kinds := []string{"keep", "once", "slow", "stream", "upload", "websocket", "leaver", "deeds"}
	fmt.Fprintf(to, "\n%d rounds: %s\n\n%-42s", t.rounds, t.line(), "requests")
	for _, kind := range kinds {
		fmt.Fprintf(to, "%10s", kind)
	}
	fmt.Fprintln(to)
	for _, why := range slices.Sorted(maps.Keys(t.requests)) {
		fmt.Fprintf(to, "%-42s", why)
		for _, kind := range kinds {
			n := ""
			if t.requests[why][kind] > 0 {
				n = fmt.Sprint(t.requests[why][kind])
			}
			fmt.Fprintf(to, "%10s", n)
		}
		fmt.Fprintln(to)
	}
	printCounts(to, "faults", t.faults)
	printCounts(to, "workers that ended", t.deaths)
	fmt.Fprintln(to)
}

func printCounts(to io.Writer, what string, counts map[string]int) {
	fmt.Fprintf(to, "\n%s\n%s\n", what, strings.Repeat("-", len(what)))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(to, "%7d  %s\n", counts[name], name)
	}
}
