package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// misbehaving is the application of that name for a class.
func (c class) misbehaving() string {
	if c.name == "asgi" {
		return "misbehaving:asgi"
	}
	return "misbehaving"
}

// timed asks for path and returns how long the answer took.
func (s *service) timed(path string, want int) time.Duration {
	s.t.Helper()
	began := time.Now()
	if status, body := s.get(path); status != want {
		s.t.Errorf("GET %s: got %d %q after %v, want %d", path, status, body, time.Since(began), want)
	}
	return time.Since(began)
}

// In every class a request that takes too long gets a 504, its stack goes to the log,
// and other requests notice nothing: first when it can be interrupted, then when it
// takes no notice, then in C code with the interpreter's lock held.
func TestARequestHasALimitInEveryClass(t *testing.T) {
	t.Parallel()
	eachClass(t, 4, func(t *testing.T, c class) {
		t.Parallel()
		const limit, grace = 1500 * time.Millisecond, 2 * time.Second
		s := serve(t, launch{app: c.misbehaving(), args: c.with("-w", "2", "--log-level", "debug",
			"--request-timeout", "1.5", "--request-timeout-grace", "2", "--slow-request", "0.5")})
		s.allow("worker ended", "is slow", "exceeded request_timeout", "Fatal Python error", lost)
		s.ready(2)
		before := s.children("worker")
		if took := s.timed("/spin/60", 504); took < limit {
			t.Errorf("interrupted after %v, want %v", took, limit)
		}
		s.stderr.await(t, 1, "GET '/spin/60' is slow, ")
		s.stderr.await(t, 1, "GET '/spin/60' exceeded request_timeout (1.5 s):")
		s.stderr.await(t, 2, "misbehaving.py", "in spin")
		s.timed("/pid", 200)
		if c.name == "sync" || c.name == "gthread" {
			s.stderr.await(t, 1, "worker ended", "cause=asked", "reason=request_timeout")
		} else if now := s.children("worker"); !slices.Equal(now, before) {
			t.Errorf("workers %v after an interrupted request, want %v as before", now, before)
		}
		s.timed("/stubborn/8", 504)
		switch c.name {
		case "sync", "gthread":
			s.stderr.await(t, 1, "worker ended", "cause=timeout", "held=")
		default:
			s.stderr.await(t, 1, "worker ended", "reason=request_timeout")
		}
		s.timed("/pid", 200)
		if took := s.timed("/native/60", 504); took < limit+grace {
			t.Errorf("killed after %v, want %v", took, limit+grace)
		}
		s.stderr.await(t, 1, "misbehaving.py", "in native") // the kernel's signal found it
		s.timed("/pid", 200)
		s.stop()
	})
}

// What a worker has kept is given back when it is replaced; no request is lost by it,
// and its successor was there before it left.
func TestAWorkerWithTooMuchMemoryIsReplaced(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "misbehaving", args: []string{"--log-level", "debug",
		"--max-worker-memory", "100MiB", "--worker-memory-interval", "1"}})
	s.ready(1)
	first := s.the("worker")
	l := s.load(2, "/")
	for range 3 {
		s.wants("/leak/40", 200, strconv.Itoa(first))
	}
	s.stderr.await(t, 1, "worker has too much memory", "limit=104857600")
	s.stderr.await(t, 1, "worker ended", "cause=asked", "reason=max_worker_memory")
	l.flows()
	l.end().atMost(t, nil)
	s.stop()
	text := s.stderr.end(t)
	ready := slices.IndexFunc(text, func(line string) bool {
		return strings.Contains(line, "slot moved") && strings.Contains(line, "slot=1") && strings.Contains(line, "to=idle")
	})
	asked := slices.IndexFunc(text, func(line string) bool {
		return strings.Contains(line, "slot=0") && strings.Contains(line, "to=draining")
	})
	if ready < 0 || asked < ready {
		t.Errorf("the successor was ready in line %d, the worker asked to leave in line %d", ready, asked)
	}
}

func TestWorkersAreReplacedAtAnAge(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "misbehaving", args: []string{"-w", "2", "--max-worker-age", "2", "--max-worker-age-jitter", "0.5"}})
	l := s.load(2, "/")
	before := s.children("worker")
	s.stderr.await(t, 2, "worker ended", "cause=asked", "reason=max_worker_age")
	for _, pid := range before {
		s.until("the first workers are gone", func() bool { return dead(pid) })
	}
	l.flows()
	l.end().atMost(t, nil)
	s.stop()
}

// deadlineProofs say which tests here show the effect of which setting.
func deadlineProofs() []string {
	return []string{
		"request_timeout test/e2e/deadlines_test.go TestARequestHasALimitInEveryClass",
		"request_timeout_grace test/e2e/deadlines_test.go TestARequestHasALimitInEveryClass",
		"slow_request test/e2e/deadlines_test.go TestARequestHasALimitInEveryClass",
		"max_worker_memory test/e2e/deadlines_test.go TestAWorkerWithTooMuchMemoryIsReplaced",
		"worker_memory_interval test/e2e/deadlines_test.go TestAWorkerWithTooMuchMemoryIsReplaced",
		"max_worker_age test/e2e/deadlines_test.go TestWorkersAreReplacedAtAnAge",
		"max_worker_age_jitter test/e2e/deadlines_test.go TestWorkersAreReplacedAtAnAge",
	}
}
