package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// grown is how many descriptors a process may have more after a load: the
// runtime opens some when first needed, connections close a moment late.
const grown = 2

// calm notes the descriptors of master and gateway and returns a check that
// they are as many again.
func (s *service) calm() (check func()) {
	s.t.Helper()
	gateway := s.the("gateway")
	before := map[int]int{s.pid: descriptors(s.t, s.pid), gateway: descriptors(s.t, gateway)}
	return func() {
		s.t.Helper()
		s.hangUp()
		for pid, n := range before {
			if dead(pid) {
				continue
			}
			s.until(fmt.Sprintf("the descriptors of %s are %d again", role(pid), n), func() bool {
				return descriptors(s.t, pid) <= n+grown
			})
		}
	}
}

// lost is the warning about a request that a worker had taken and not yet put
// on the scoreboard when it was killed. Its client gets a 502 like the others.
const lost = "request was lost with its worker"

// ready waits until a worker became ready for the nth time since the start; the
// log must be at debug.
func (s *service) ready(n int) {
	s.t.Helper()
	s.stderr.await(s.t, n, "slot moved", "from=starting to=idle")
}

// The heart of the matter: whatever is killed, no client pays but those whose
// request that process held.
func TestAKilledWorkerCostsItsRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--log-level", "debug"}})
	s.allow("worker ended", lost)
	s.ready(2)
	check := s.calm()
	l := s.load(8, "/")
	l.flows()
	victim := s.children("worker")[0]
	killed := time.Now()
	s.kill(victim, syscall.SIGKILL)
	s.ready(3)
	if took := time.Since(killed); took > patience/6 {
		t.Errorf("a new worker after %v, want at once", took)
	}
	l.flows()
	l.end().atMost(t, map[string]int{"status 502": 1})
	if now := s.children("worker"); len(now) != 2 || slices.Contains(now, victim) {
		t.Errorf("workers afterwards: %v, want 2 without %d", now, victim)
	}
	check()
	s.stop()
}

func TestThirtyKilledWorkersCostThirtyRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "3", "--log-level", "debug"}})
	s.allow("worker ended", "restart budget spent", lost)
	s.ready(3)
	check := s.calm()
	l := s.load(8, "/")
	const kills = 30
	for n := range kills {
		l.flows()
		var workers []int
		s.until("a worker to kill", func() bool {
			workers = s.children("worker")
			return len(workers) > 0
		})
		s.kill(workers[n%len(workers)], syscall.SIGKILL)
		s.stderr.await(t, n+1, "worker ended")
	}
	s.until("3 workers again", func() bool { return len(s.children("worker")) == 3 })
	l.flows()
	all := l.end()
	t.Logf("%d kills: %s", kills, all)
	all.atMost(t, map[string]int{"status 502": kills})
	check()
	s.stop()
}

// The request that a killed worker held gets an answer that says so, on a
// connection that goes on.
func TestTheAnswerForAKilledWorker(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
	s.allow("worker ended")
	c := s.client()
	c.send("GET /kill/9 HTTP/1.1\r\nHost: x\r\n\r\n")
	a := c.receive("GET")
	if a.status != 502 || a.body == "" || a.close {
		t.Errorf("got %d %q, close %v; want 502 with a body on a connection that goes on", a.status, a.body, a.close)
	}
	c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello")
	s.stop()
}

// os._exit in a request is the same to the client.
func TestAWorkerThatDiesInEveryWay(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--log-level", "debug"}})
	s.allow("worker ended", "Fatal Python error")
	for n, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGUSR2} {
		if status, body := s.get(fmt.Sprintf("/kill/%d", sig)); status != 502 || body == "" {
			t.Errorf("%v: got %d %q, want 502 with a body", sig, status, body)
		}
		s.ready(3 + n)
	}
	s.stop()
}

func TestAKilledMoldCostsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--log-level", "debug"}})
	s.allow("mold ended", "worker ended")
	s.ready(2)
	l := s.load(4, "/")
	l.flows()
	workers, mold := s.children("worker"), s.the("mold")
	s.kill(mold, syscall.SIGKILL)
	s.stderr.await(t, 1, "mold ended")
	l.flows()
	if now := s.children("worker"); !slices.Equal(now, workers) {
		t.Errorf("workers afterwards: %v, want the same as before, %v", now, workers)
	}
	l.end().atMost(t, nil)

	// And the next death of a worker is still made good.
	s.kill(workers[0], syscall.SIGKILL)
	s.ready(3)
	if next := s.the("mold"); next == mold {
		t.Errorf("mold %d was killed and is still there", mold)
	}
	s.wants("/", 200, "hello")
	s.stop()
}

// Worker and mold at once: the worker's place is filled from the next mold.
func TestAKilledMoldAndWorker(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--log-level", "debug"}})
	s.allow("mold ended", "worker ended", "spawn failed", lost)
	s.ready(2)
	l := s.load(4, "/")
	l.flows()
	s.kill(s.the("mold"), syscall.SIGKILL)
	s.kill(s.children("worker")[0], syscall.SIGKILL)
	s.ready(3)
	l.flows()
	l.end().atMost(t, map[string]int{"status 502": 1})
	s.stop()
}

func TestAKilledGatewayCostsWhatItHeld(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
	s.allow("gateway ended")
	const clients = 6
	l := s.load(clients, "/")
	masters := descriptors(t, s.pid)
	const kills = 3
	for n := range kills {
		l.flows()
		gateway := s.the("gateway")
		s.kill(gateway, syscall.SIGKILL)
		s.stderr.await(t, n+1, "gateway ended")
		s.until("another gateway", func() bool {
			now := s.children("gateway")
			return len(now) == 1 && now[0] != gateway
		})
	}
	l.flows()
	workers := s.children("worker")
	all := l.end()
	t.Logf("%d kills: %s", kills, all)
	// Each client has one request in flight; one that wrote its next to the
	// connection as it died has lost that one, and no other.
	all.atMost(t, map[string]int{outcomeCut: kills * clients})
	s.wants("/", 200, "hello")
	if now := s.children("worker"); !slices.Equal(now, workers) {
		t.Errorf("workers afterwards: %v, want the same as before, %v", now, workers)
	}
	if n := descriptors(t, s.pid); n > masters+grown {
		t.Errorf("the master has %d descriptors, had %d", n, masters)
	}
	s.stop()
}

// The listener is the master's, and the kernel takes connections on it while
// there is no gateway. The master is stopped meanwhile, to make that time long
// enough to be sure.
func TestAConnectionMadeWithoutAGatewayIsAnswered(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain"})
	s.allow("gateway ended", "was stopped")
	gateway := s.the("gateway")
	s.kill(s.pid, syscall.SIGSTOP)
	s.kill(gateway, syscall.SIGKILL)
	s.until("the gateway is dead", func() bool { return dead(gateway) })
	c := s.client()
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	s.kill(s.pid, syscall.SIGCONT)
	c.wants("GET", 200, "hello")
	s.stop()
}

// A worker that a dead gateway had given a request answers it to nobody and
// goes on.
func TestAKilledGatewayUnderASlowRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "1"}})
	s.allow("gateway ended")
	worker, gateway := s.the("worker"), s.the("gateway")
	c, _ := s.held("0.5")
	s.kill(gateway, syscall.SIGKILL)
	if _, err := http.ReadResponse(c.in, nil); err == nil {
		t.Error("a dead gateway has answered")
	}
	s.wants("/", 200, "hello")
	if now := s.the("worker"); now != worker {
		t.Errorf("worker %d was replaced by %d", worker, now)
	}
	s.stop()
}

func TestAKilledMasterLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--log-level", "debug"}})
	s.ready(2)
	network, address := s.listener(0)
	l := s.load(4, "/")
	l.flows()
	s.kill(s.pid, syscall.SIGKILL)
	<-s.ended
	s.allGone(patience)
	l.end() // what was held is lost, as everything is
	s.judge(s.stderr.end(t))
	if conn, err := net.Dial(network, address); err == nil {
		_ = conn.Close() // the error to report is that it opened
		t.Error("somebody still listens")
	}
}

// A master that dies takes even a worker in the middle of a request with it.
func TestAKilledMasterUnderASlowRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
	s.held("3")
	s.kill(s.pid, syscall.SIGKILL)
	<-s.ended
	s.allGone(10 * time.Second)
}

// With the master goes the news of who died: the gateway must find out by
// itself that nobody works on a request any more.
func TestAKilledMasterAndWorker(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
	s.allow("worker ended", lost)
	c, worker := s.held("60")
	s.kill(s.pid, syscall.SIGSTOP)
	s.kill(worker, syscall.SIGKILL)
	s.until("the worker is dead", func() bool { return dead(worker) })
	s.kill(s.pid, syscall.SIGKILL)
	<-s.ended
	if err := c.conn.SetReadDeadline(time.Now().Add(patience / 2)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the client waits for a worker that is dead")
	}
	if err == nil && response.StatusCode != 502 {
		t.Errorf("got %d, want 502 or the end", response.StatusCode)
	}
	_ = c.conn.Close() // or the gateway would wait for it
	s.allGone(10 * time.Second)
}

// A worker that is stuck is killed after --timeout; its client is told.
func TestAStuckWorkerIsKilled(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "-t", "2"}})
	s.allow("worker ended")
	c, victim := s.held("60")
	began := time.Now()
	s.kill(victim, syscall.SIGSTOP)
	for range 10 {
		s.wants("/", 200, "hello") // by the other
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); response.StatusCode != 504 || took < time.Second || took > patience/2 {
		t.Errorf("got %d after %v, want 504 after 2 to 4 seconds", response.StatusCode, took)
	}
	s.until("2 workers again", func() bool {
		now := s.children("worker")
		return len(now) == 2 && !slices.Contains(now, victim)
	})
	s.wants("/", 200, "hello")
	s.stop()
}

// held makes a request that takes so many seconds, and returns where the answer
// "held" will come from and the worker that is at it.
func (s *service) held(seconds string) (c *client, worker int) {
	s.t.Helper()
	c = s.client()
	name := fmt.Sprintf("held-%d", s.requests.Add(1))
	c.send("GET /hold/" + name + "/" + seconds + " HTTP/1.1\r\nHost: x\r\n\r\n")
	worker, err := strconv.Atoi(s.note(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return c, worker
}
