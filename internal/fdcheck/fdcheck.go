package fdcheck

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long descriptors may take to be closed after the test:
// goroutines that close them may still be on their way.
const patience = 2 * time.Second

// NoLeak fails the test if at its end, after every cleanup registered later,
// a descriptor is open that was not open at this call. Call it first.
func NoLeak(t testing.TB) {
	t.Helper()
	before, err := List()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		deadline := time.Now().Add(patience)
		for {
			after, err := List()
			if err != nil {
				t.Error(err)
				return
			}
			left := beyond(before, after)
			if len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("descriptors left open:\n\t%s", strings.Join(left, "\n\t"))
				return
			}
			time.Sleep(5 * time.Millisecond) // the kernel has no event for "one of my descriptors was closed"
		}
	})
}

// Count is the number of descriptors this process has open, those that it
// takes to count them left out.
func Count() (int, error) {
	open, err := List()
	return len(open), err
}

// List tells what every open descriptor of this process refers to, as the
// links in /proc/self/fd do (proc_pid_fd(5)).
func List() (map[int]string, error) {
	if err := wakePoller(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("list descriptors: %w", err)
	}
	open := make(map[int]string, len(entries))
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil { // closed since: the directory that was just read is one of them
			continue
		}
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("list descriptors: %w", err)
		}
		open[fd] = target
	}
	return open, nil
}

// wakePoller makes the runtime open the descriptors of its poller, which it
// does at the first use and never undoes: they are no leak.
func wakePoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("wake the poller: %w", err)
	}
	_ = r.Close() // nothing was written to it
	_ = w.Close() // likewise
	return nil
}

// beyond lists what is in after and was not, under the same number and with
// the same target, in before.
func beyond(before, after map[int]string) []string {
	var fds []int
	for fd, target := range after {
		if before[fd] != target {
			fds = append(fds, fd)
		}
	}
	sort.Ints(fds)
	left := make([]string, 0, len(fds))
	for _, fd := range fds {
		left = append(left, fmt.Sprintf("%d → %s", fd, after[fd]))
	}
	return left
}
