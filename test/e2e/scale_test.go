package e2e

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The promise of min_workers and max_workers: a service that waits for something
// else than the processors gets more workers while clients wait, and gives them back.
func TestWorkersFollowTheLoad(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{
		"--max-workers", "6", "--min-workers", "1", "--scale-up-wait", "0.1", "--scale-down-idle", "1",
		"--scale-up-pressure", "101", // other tests keep the processors of this machine busy
	}})
	clients := s.load(32, "/sleep/0.01")
	s.until("3 workers", func() bool { return len(s.children("worker")) >= 3 })
	line := s.stderr.await(t, 1, "[INFO]", "number of workers changed", "from=1 to=2")
	if reason := field(line, "reason"); !strings.HasPrefix(reason, "requests wait ") {
		t.Errorf("got %q, want that requests waited", line)
	}
	clients.end().atMost(t, nil)
	s.until("1 worker", func() bool { return len(s.children("worker")) == 1 })
	s.stderr.await(t, 1, "[INFO]", "number of workers changed", "enough for 1s", "from=2 to=1")
	s.wants("/", 200, "hello")
	s.kill(s.pid, syscall.SIGTTOU)
	s.allow("number of workers is at its bound")
	s.stderr.await(t, 1, "[WARN]", "number of workers is at its bound", "signal=SIGTTOU", "limit=1")
	s.stop()
}

// While processes queue for the processors, one more makes all of them slower.
func TestNoWorkersAreAddedToBusyProcessors(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--max-workers", "4", "--scale-up-wait", "0", "--scale-up-pressure", "1"}})
	stop, end := context.WithCancel(t.Context())
	var spinners sync.WaitGroup
	for range 8 {
		spinners.Go(func() {
			for stop.Err() == nil { // one processor each, as far as there are any
			}
		})
	}
	defer spinners.Wait()
	defer end()
	var clients sync.WaitGroup
	defer clients.Wait()
	for range 4 {
		clients.Go(func() {
			response, err := s.web.Get(s.url("/sleep/6"))
			if err == nil {
				_ = response.Body.Close()
			}
		})
	}
	line := s.stderr.await(t, 1, "[INFO]", "no workers added", "limit=1")
	if n := len(s.children("worker")); n != 1 {
		t.Errorf("%d workers; %s", n, line)
	}
	s.kill(s.pid, syscall.SIGQUIT)
	s.allow("worker ended")
	s.expect(0)
}

// Nobody should have to know the machine to choose a number, and a limit on
// processors counts.
func TestAutoCountsProcessors(t *testing.T) {
	t.Parallel()
	for app, want := range map[string]int{"plain": 3, "aplain": 2} { // of one processor
		s := serve(t, launch{program: []string{
			"taskset", "--cpu-list", "0", world.binary, "--bind", "127.0.0.1:0", "--python", world.python, "--workers", "auto", app,
		}})
		line := s.stderr.await(t, 1, "[INFO]", "number of workers chosen", "processors=1")
		s.until("so many workers", func() bool { return len(s.children("worker")) == want })
		if n := s.stderr.count("number of workers chosen"); n != want-1 { // a second time for WSGI, when that is known
			t.Errorf("%s: chosen %d times; first: %s", app, n, line)
		}
		s.wants("/", 200, "hello")
		s.stop()
	}
}
