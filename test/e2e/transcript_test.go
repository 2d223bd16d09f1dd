package e2e

import (
	"bufio"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// transcript keeps the lines a process writes, and lets tests wait for them.
type transcript struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed when a line came or the end, and replaced
	ended bool
}

func record(from io.Reader) *transcript {
	tr := &transcript{more: make(chan struct{})}
	go tr.read(from)
	return tr
}

func (tr *transcript) read(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		tr.mu.Lock()
		if line != "" {
			tr.lines = append(tr.lines, strings.TrimSuffix(line, "\n"))
		}
		tr.ended = err != nil
		close(tr.more)
		tr.more = make(chan struct{})
		tr.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// now returns what was written so far, and a channel that closes when there
// is more. ended: there will be no more.
func (tr *transcript) now() (lines []string, more <-chan struct{}, ended bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.lines[:len(tr.lines):len(tr.lines)], tr.more, tr.ended
}

// count returns how many lines contain all parts.
func (tr *transcript) count(parts ...string) int {
	lines, _, _ := tr.now()
	return len(matching(lines, parts))
}

// await returns the nth line, from 1, that contains all parts.
func (tr *transcript) await(t testing.TB, nth int, parts ...string) string {
	t.Helper()
	limit := time.After(patience)
	for {
		lines, more, ended := tr.now()
		if found := matching(lines, parts); len(found) >= nth {
			return found[nth-1]
		}
		if ended {
			t.Fatalf("ended without line %d with %q", nth, parts)
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("no line %d with %q within %v", nth, parts, patience)
		}
	}
}

// end waits until nobody can write any more and returns all lines.
func (tr *transcript) end(t testing.TB) []string {
	t.Helper()
	limit := time.After(patience)
	for {
		lines, more, ended := tr.now()
		if ended {
			return lines
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("the output has not ended within %v: somebody still holds it", patience)
		}
	}
}

func (tr *transcript) String() string {
	lines, _, _ := tr.now()
	return strings.Join(lines, "\n")
}

func matching(lines, parts []string) (found []string) {
	for _, line := range lines {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

// field returns the value of key=value in a log line, without quotes.
func field(line, key string) string {
	_, rest, found := strings.Cut(line, " "+key+"=")
	if !found {
		return ""
	}
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		value, _, _ := strings.Cut(quoted, `"`)
		return value
	}
	value, _, _ := strings.Cut(rest, " ")
	return value
}
