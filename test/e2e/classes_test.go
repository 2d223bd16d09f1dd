package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// class is a worker class and how to run it here.
type class struct {
	name     string
	app      string
	args     []string
	module   string // what it needs beside Python, "" for nothing
	inFlight int    // requests that one worker may hold of so many clients
}

// classes are all worker classes, with three workers that eight clients ask.
func classes(clients int) []class {
	return []class{
		{name: "sync", app: "plain", inFlight: 1},
		{name: "gthread", app: "plain", args: []string{"--threads", "4"}, inFlight: 4},
		{name: "gevent", app: "plain", args: []string{"-k", "gevent"}, module: "gevent", inFlight: clients},
		{name: "eventlet", app: "plain", args: []string{"-k", "eventlet"}, module: "eventlet", inFlight: clients},
		{name: "asgi", app: "aplain", inFlight: clients},
	}
}

// eachClass runs a test for every class that can run here.
func eachClass(t *testing.T, clients int, test func(t *testing.T, c class)) {
	t.Helper()
	for _, c := range classes(clients) {
		t.Run(c.name, func(t *testing.T) {
			if c.module != "" {
				if _, err := output(world.root, world.python, "-c", "import "+c.module); err != nil {
					if os.Getenv("CI") == "true" {
						t.Fatal(err)
					}
					t.Skipf("%s is not installed for %s", c.module, world.python)
				}
			}
			test(t, c)
		})
	}
}

// allServe waits until each of n workers has answered a request, so that the
// gateway is known to have all of their sockets.
func (s *service) allServe(n int) {
	s.t.Helper()
	seen := map[string]bool{}
	s.until(fmt.Sprintf("answers of %d workers", n), func() bool {
		_, pid := s.get("/pid")
		seen[pid] = true
		return len(seen) == n
	})
}

// However many workers are killed, only what they held is lost: each of those
// requests gets a 502 on a connection that goes on, all others their answer.
func TestTenThousandRequestsAndRandomKills(t *testing.T) {
	t.Parallel()
	const clients, requests, kills = 8, 10_000, 20
	eachClass(t, clients, func(t *testing.T, c class) {
		s := serve(t, launch{app: c.app, args: append([]string{"-w", "3", "--log-level", "debug"}, c.args...)})
		s.allow("worker ended", "restart budget spent", lost)
		s.allServe(3)
		check := s.calm()
		l := s.load(clients, "/")
		for n := range kills {
			within(t, time.Minute, "more answers", func() bool { return l.answers.Load() >= int64(requests/kills*n) })
			var workers []int
			s.until("a worker to kill", func() bool {
				workers = s.children("worker")
				return len(workers) > 0
			})
			s.kill(workers[rand.IntN(len(workers))], syscall.SIGKILL)
			s.stderr.await(t, n+1, "worker ended")
		}
		within(t, time.Minute, "the last answers", func() bool { return l.answers.Load() >= requests })
		all := l.end()
		t.Logf("%d kills: %s", kills, all)
		all.atMost(t, map[string]int{"status 502": kills * c.inFlight})
		s.until("3 workers again", func() bool { return len(s.children("worker")) == 3 })
		s.wants("/", 200, "hello")
		check()
		s.stop()
	})
}

// Replacing workers after so many requests must cost nobody anything, and must
// not be taken for a fault.
func TestWorkersAreReplacedAfterSoManyRequests(t *testing.T) {
	t.Parallel()
	const clients = 8
	eachClass(t, clients, func(t *testing.T, c class) {
		args := []string{"-w", "2", "--max-requests", "100", "--max-requests-jitter", "50", "--log-level", "debug"}
		s := serve(t, launch{app: c.app, args: append(args, c.args...)})
		s.allServe(2)
		first := s.children("worker")
		check := s.calm()
		l := s.load(clients, "/")
		s.stderr.await(t, 12, "worker ended", "cause=asked")
		l.flows()
		l.end().atMost(t, nil)
		s.until("2 workers again", func() bool { return len(s.children("worker")) == 2 })
		for _, pid := range s.children("worker") {
			if pid == first[0] || pid == first[1] {
				t.Errorf("worker %d has not been replaced", pid)
			}
		}
		check()
		s.stop()
	})
}

// A gateway that dies takes its clients with it, and no worker: the next one is
// given the workers, whichever lanes they have.
func TestWorkersOfEveryClassOutliveTheGateway(t *testing.T) {
	t.Parallel()
	const clients = 4
	eachClass(t, clients, func(t *testing.T, c class) {
		s := serve(t, launch{app: c.app, args: append([]string{"-w", "2", "--log-level", "debug"}, c.args...)})
		s.allow("gateway ended")
		s.ready(2)
		workers := s.children("worker")
		l := s.load(clients, "/")
		for n := range 3 {
			l.flows()
			s.kill(s.the("gateway"), syscall.SIGKILL)
			s.stderr.await(t, n+1, "gateway ended")
		}
		l.flows()
		l.end().atMost(t, map[string]int{outcomeCut: 3 * clients})
		s.wants("/", 200, "hello")
		if now := s.children("worker"); fmt.Sprint(now) != fmt.Sprint(workers) {
			t.Errorf("workers afterwards: %v, want the same as before, %v", now, workers)
		}
		s.stop()
	})
}

// An ASGI application that waits on behalf of a client must learn that the
// client left, or it waits for ever; also if the client said no more than its end,
// which could mean that it listens still.
func TestAnApplicationLearnsThatItsClientLeft(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "aplain"})
	for name, lose := range map[string]func(c *net.TCPConn) error{
		"reset": func(c *net.TCPConn) error { return c.SetLinger(0) },
		"closed": func(c *net.TCPConn) error { // its kernel is to forget it in a second instead of a minute
			raw, err := c.SyscallConn()
			if err == nil {
				err = raw.Control(func(fd uintptr) {
					err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_LINGER2, 1)
				})
			}
			return err
		},
	} {
		c := s.client()
		c.send("GET /wait/" + name + " HTTP/1.1\r\nHost: x\r\n\r\n")
		s.note(name)
		if err := lose(c.conn.(*net.TCPConn)); err != nil {
			t.Fatal(err)
		}
		if err := c.conn.Close(); err != nil {
			t.Fatal(err)
		}
		s.note(name + "-left")
	}
	s.stop()
}

// An event loop that stands still is what timeout is about in such a worker:
// its clients get a 504, those of others notice nothing.
func TestABlockedEventLoopIsKilled(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "aplain", args: []string{"-w", "2", "-t", "2"}})
	s.allow("worker ended", "Fatal Python error")
	c := s.client()
	c.send("GET /block/now HTTP/1.1\r\nHost: x\r\n\r\n")
	victim := s.note("now")
	if a := c.receive("GET"); a.status != 504 || a.close {
		t.Errorf("got %d, close %v; want 504 on a connection that goes on", a.status, a.close)
	}
	for range 10 {
		if _, pid := s.get("/pid"); pid == victim {
			t.Errorf("worker %s answers again", victim)
		}
	}
	s.stop()
}

// A thread that takes long is not the end of the other threads' requests, as
// with Gunicorn.
func TestASlowThreadIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--threads", "2", "-t", "2"}})
	one, worker := s.held("5")
	two, same := s.held("5") // now no seat is free, and none beats
	if worker != same {
		t.Fatalf("workers %d and %d, want one", worker, same)
	}
	one.wants("GET", 200, "held")
	two.wants("GET", 200, "held")
	s.stop()
}
