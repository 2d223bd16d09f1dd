package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What workers may do to themselves, one after the other in one service: each deed
// costs its own request and no other, and the log says what it was.
func TestMisdeedsOfWorkersCostTheirOwnRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "misbehaving", args: []string{"-w", "2", "--log-level", "debug"}})
	s.allow("worker ended", "Fatal Python error", "Traceback", "Exception ignored", "OSError: [Errno 9]", "xxxxxxxx", lost)
	s.ready(2)

	s.timed("/exits/9", http.StatusBadGateway)
	line := s.stderr.await(t, 1, "worker ended", "cause=crashed", "status=9", "requests=1", `GET \"/exits/9\" (`)
	held, _, _ := strings.Cut(strings.Trim(field(line, "held"), `"`), " ")
	s.stderr.await(t, 1, "request failed", "status=502", "held="+held, "worker="+field(line, "pid"), `what="GET \"/exits/9\""`)
	s.timed("/exits/0", http.StatusBadGateway)
	s.stderr.await(t, 1, "worker ended", "cause=left", "status=0")
	s.wants("/", 200, "hello")

	var bad int
	for range 12 {
		switch status, _ := s.get("/third"); status {
		case http.StatusOK:
		case http.StatusBadGateway:
			bad++
		default:
			t.Errorf("/third: got %d, want 200 or 502", status)
		}
	}
	if bad < 2 || bad > 4 {
		t.Errorf("%d of 12 requests got a 502 of workers that die on every third, want 2 to 4", bad)
	}
	s.stderr.await(t, bad, "worker ended", "cause=signalled", "signal=SIGABRT")

	s.wants("/floods/20000", 200, "done")
	s.timed("/closes/3", http.StatusBadGateway) // the reply's socket is one of them
	s.until("2 workers", func() bool { return len(s.children("worker")) == 2 })
	s.until("answers again", func() bool { status, _ := s.get("/"); return status == http.StatusOK })

	_, text := s.get("/forks/60")
	child, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("the child: %q", text)
	}
	parents := s.children("worker")
	for _, pid := range parents {
		s.kill(pid, syscall.SIGKILL)
	}
	s.until("2 other workers", func() bool {
		now := slices.DeleteFunc(s.children("worker"), func(pid int) bool { return pid == child }) // it has their name
		return len(now) == 2 && !slices.Contains(parents, now[0]) && !slices.Contains(parents, now[1])
	})
	s.until("answers again", func() bool { status, _ := s.get("/"); return status == http.StatusOK })
	_ = syscall.Kill(child, syscall.SIGKILL) // our own test's; gone already where something killed it
	s.stop()
}

// One that leaks fifty megabytes a second under load is replaced again and again, and
// no client notices.
func TestALeakIsKeptWithinLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "misbehaving", args: []string{"-w", "2",
		"--max-worker-memory", "80MiB", "--worker-memory-interval", "1"}})
	l := s.load(2, "/")
	end := time.Now().Add(4 * time.Second)
	for time.Now().Before(end) {
		if status, body := s.get("/leak/10"); status != http.StatusOK {
			t.Errorf("got %d %q, want 200", status, body)
		}
		time.Sleep(200 * time.Millisecond) // that is the rate
	}
	s.stderr.await(t, 1, "worker ended", "cause=asked", "reason=max_worker_memory")
	l.flows()
	l.end().atMost(t, nil)
	s.stop()
}

// An application that hangs while it boots ends the first start, with its stacks.
func TestABootThatHangsShowsWhere(t *testing.T) {
	t.Parallel()
	s := start(t, launch{app: "slow_boot", args: []string{"--boot-timeout", "1"}})
	s.allow("worker ended", "Fatal Python error", "cannot", "was not ready")
	<-s.ended
	if status := s.cmd.ProcessState.ExitCode(); status != 3 {
		t.Errorf("exit status %d, want 3", status)
	}
	s.stderr.await(t, 1, "slow_boot.py", "in <module>")
	s.stderr.await(t, 1, fmt.Sprintf("was not ready within %v", time.Second))
}
