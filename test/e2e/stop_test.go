package e2e

import (
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"
)

// What is held when the order to stop comes is finished and answered; nothing
// new is taken.
func TestAStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
			network, address := s.listener(0)
			c, _ := s.held("2")
			s.kill(s.pid, sig)
			s.refuses(network, address)
			a := c.wants("GET", 200, "held")
			if !a.close {
				t.Error("the last response on a connection does not say so")
			}
			_ = c.conn.Close() // it has all it asked for
			s.expect(0)
		})
	}
}

// Ctrl-C reaches every process of the group at the same moment.
func TestATerminalsInterruptDrains(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
	c, _ := s.held("1")
	s.kill(-s.pid, syscall.SIGINT)
	c.wants("GET", 200, "held")
	_ = c.conn.Close() // it has all it asked for
	s.expect(0)
}

// Some supervisors signal the whole group. That is one order to stop, not one
// for each process to die.
func TestATermToTheGroupDrains(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
	c, _ := s.held("1")
	s.kill(-s.pid, syscall.SIGTERM)
	c.wants("GET", 200, "held")
	_ = c.conn.Close() // it has all it asked for
	s.allow("mold ended", "worker ended", "spawn failed")
	s.expect(0)
}

// refuses waits until nobody listens any more, which must not take as long as
// the requests in hand: whoever connects meanwhile would wait for nothing.
func (s *service) refuses(network, address string) {
	s.t.Helper()
	within(s.t, time.Second, "new connections are refused", func() bool {
		conn, err := net.Dial(network, address)
		if err == nil {
			_ = conn.Close() // it came before the end of listening
		}
		return err != nil
	})
}

// Requests that wait for a worker are held too.
func TestAStopLetsTheQueueFinish(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "1"}})
	first, _ := s.held("0.5")
	var others []*client
	for range 10 {
		c := s.client()
		c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		others = append(others, c)
	}
	s.kill(s.pid, syscall.SIGTERM)
	first.wants("GET", 200, "held")
	for _, c := range others {
		c.wants("GET", 200, "hello")
	}
	s.hangUp()
	s.expect(0)
}

// A service that stops under load answers every request that it took.
func TestAStopUnderLoadCutsNothing(t *testing.T) {
	t.Parallel()
	passed, _ := listening(t, "tcp", "127.0.0.1:0") // stays open, as systemd's do: nobody is refused
	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}, sockets: []*os.File{passed}})
	l := s.load(6, "/")
	l.flows()
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
	next := serve(t, launch{app: "plain", args: []string{"-w", "2"}, sockets: []*os.File{passed}})
	l.flows()
	all := l.end()
	t.Logf("over a restart: %s", all)
	// A keep-alive connection may be closed as its client sends the next
	// request: HTTP has no way around that, and clients repeat it.
	all.atMost(t, map[string]int{outcomeCut: 6})
	next.stop()
}

// Clients that keep a connection for later do not keep the service.
func TestIdleConnectionsDoNotDelayAStop(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare"})
	var idle []*client
	for range 5 {
		c := s.client()
		c.ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 204, "")
		idle = append(idle, c)
	}
	began := time.Now()
	s.kill(s.pid, syscall.SIGTERM)
	for _, c := range idle {
		c.closed()
	}
	s.expect(0)
	if took := time.Since(began); took > 10*time.Second { // the graceful timeout is 30 s
		t.Errorf("the stop took %v", took)
	}
}

func TestAStopThatTakesTooLong(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--graceful-timeout", "1"}})
	s.allow("graceful timeout passed", "worker ended")
	c, _ := s.held("60")
	began := time.Now()
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
	if took := time.Since(began); took < 900*time.Millisecond || took > 20*time.Second {
		t.Errorf("the stop took %v, want 1 to 3 seconds", took)
	}
	if response, err := http.ReadResponse(c.in, nil); err == nil && response.StatusCode == 200 {
		t.Error("the request that was not finished got 200")
	}
}

func TestASecondTermIsQuick(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain"})
	s.allow("stopping at once", "worker ended")
	s.held("60")
	began := time.Now()
	s.kill(s.pid, syscall.SIGTERM)
	s.stderr.await(t, 1, "stopping:", "reason=SIGTERM")
	time.Sleep(200 * time.Millisecond) // one that follows on the heels of the first is its echo
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
	if took := time.Since(began); took > 20*time.Second { // the graceful timeout is 30 s
		t.Errorf("the stop took %v", took)
	}
}

func TestQuitIsQuick(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain"})
	s.allow("worker ended")
	s.held("60")
	s.kill(s.pid, syscall.SIGQUIT)
	s.expect(0)
}

// A stop before anything served is no failure.
func TestAStopWhileBooting(t *testing.T) {
	t.Parallel()
	s := start(t, launch{app: "slow_boot", args: []string{"-w", "2"}})
	s.note("loading")
	began := time.Now()
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

func TestTheNumberOfWorkersChangesBySignal(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "1"}})
	s.kill(s.pid, syscall.SIGTTIN)
	s.until("2 workers", func() bool { return len(s.children("worker")) == 2 })
	s.kill(s.pid, syscall.SIGTTOU)
	s.until("1 worker", func() bool { return len(s.children("worker")) == 1 })
	s.wants("/", 200, "hello")
	s.stop()
}

// With shutdown_delay a service that was told to stop says that it is not ready, and
// serves on, also those who come only now; then it stops as always. A second TERM
// meanwhile is quick.
func TestAStopThatIsDelayed(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "1", "--shutdown-delay", "2"}})
	network, address := s.listener(0)
	kept := s.client()
	kept.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello")
	began := time.Now()
	s.kill(s.pid, syscall.SIGTERM)
	s.stderr.await(t, 1, "not ready any more:", "reason=SIGTERM")
	s.wants("/", 200, "hello")
	if a := kept.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello"); a.close {
		t.Error("a connection was told to close before the stop")
	}
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(t, 1, "reload not begun:", `"the service is stopping"`)
	s.stderr.await(t, 1, "stopping:", "reason=SIGTERM")
	s.refuses(network, address)
	kept.closed()
	s.expect(0)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("the stop took %v, want at least 2s", took)
	}

	s = serve(t, launch{app: "plain", args: []string{"-w", "1", "--shutdown-delay", "60"}})
	s.allow("stopping at once", "worker ended")
	s.held("60")
	s.kill(s.pid, syscall.SIGTERM)
	s.stderr.await(t, 1, "not ready any more:")
	time.Sleep(200 * time.Millisecond) // one that follows on the heels of the first is its echo
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
}

// Clients that wait in the accept queue of an address that Indrik bound when the stop
// begins believe that they are served, and are: the gateway, which was kept from
// accepting them, takes them before it closes the last copy.
func TestAStopEmptiesTheAcceptQueue(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-w", "1"}})
	gateway := s.the("gateway")
	s.freeze(gateway)
	var clients []*client
	for range 30 {
		c := s.client()
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		clients = append(clients, c)
	}
	s.kill(s.pid, syscall.SIGTERM)
	s.stderr.await(t, 1, "stopping:", "reason=SIGTERM")
	s.kill(gateway, syscall.SIGCONT)
	for _, c := range clients {
		c.wants("GET", 200, "hello")
		c.closed() // said in the response, unless that was on its way when the order came
	}
	s.expect(0)
}
