package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// successor is the gateway that there is beside another one.
func (s *service) successor(first int) (pid int) {
	s.t.Helper()
	s.until("another gateway", func() bool {
		all := slices.DeleteFunc(s.children("gateway"), func(one int) bool { return one == first })
		if len(all) == 1 {
			pid = all[0]
		}
		return len(all) == 1
	})
	return pid
}

// After the end of a reload was reported, whoever connects is served by the new
// gateway: the report waits until the one before has confirmed that it accepts no
// more. TLS shows who serves, because such connections cannot be passed on: those of
// a gateway that drains are told to close.
func TestAReloadIsOverWhenOnlyOneGatewayAccepts(t *testing.T) {
	w := newSite(t, "plain")
	cert, key := certificate(t, w.dir, "cert.pem", "key.pem")
	config := func(n int) {
		w.version(fmt.Sprint(n))
		w.put("indrik.toml", fmt.Sprintf("keepalive = %d\ngraceful_timeout = 1\n", 1000+n))
	}
	config(1)
	s := serve(t, w.launch("-w", "1", "--certfile", cert, "--keyfile", key, "--control-socket", "control"))
	s.allow("gateway had not drained")
	reload := func() <-chan error {
		over := make(chan error, 1)
		go func() {
			_, err := output(w.dir, world.binary, "reload", "--socket", filepath.Join(w.dir, "control"))
			over <- err
		}()
		return over
	}
	config(2)
	first := s.the("gateway")
	s.freeze(first)
	over := reload()
	next := s.successor(first)
	if version, _ := s.askTLS(); version != "2" {
		t.Errorf("while the gateway before was stopped %q answered", version)
	}
	select {
	case err := <-over:
		t.Errorf("the reload was over (%v) while the gateway before could still accept", err)
	case <-time.After(300 * time.Millisecond): // it has nothing else to wait for
	}
	s.kill(first, syscall.SIGCONT)
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if version, told := s.askTLS(); version != "2" || told {
			t.Fatalf("after the reload %q answered, closing: %v", version, told)
		}
	}
	s.stderr.await(t, 1, "indrik.master: reload done")
	// One that obeys no more is not waited for for ever.
	config(3)
	s.freeze(next)
	if err := <-reload(); err != nil {
		t.Fatal(err)
	}
	if version, told := s.askTLS(); version != "3" || told {
		t.Errorf("after a reload with a gateway that is stuck %q answered, closing: %v", version, told)
	}
	s.stderr.await(t, 2, "indrik.master: reload done")
	s.stop()
}

// askTLS asks for the version on a connection of its own, and tells whether it was told
// to close it.
func (s *service) askTLS() (version string, told bool) {
	s.t.Helper()
	conn := tls.Client(s.dial(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it signs itself
	defer func() { _ = conn.Close() }()                                 // read to the end
	response, err := askOn(conn, "/version")
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body), response.Close
}

// askOn asks once on a connection. The body is still to be read.
func askOn(conn net.Conn, path string) (*http.Response, error) {
	_ = conn.SetDeadline(time.Now().Add(patience)) // sockets have deadlines
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

// A gateway that is killed while it hands its connections over, or while they are
// handed to it, takes those with it that it had then, and no other: what was confirmed
// belongs to the next one, all else to the one before. What was on its way is not lost
// by the death of the next one. The service serves, and the next reload works.
//
// The two are stopped in turn, so that one message is confirmed and the second is on
// its way when the blow falls.
func TestAGatewayKilledWhileHandingOver(t *testing.T) {
	for _, victim := range []string{"the one before", "the next"} {
		t.Run(victim, func(t *testing.T) {
			w := newSite(t, "plain")
			config := func(n int) {
				w.version(fmt.Sprint(n))
				w.put("indrik.toml", fmt.Sprintf("keepalive = %d\ngraceful_timeout = 60\n", 1000+n))
			}
			config(1)
			s := serve(t, w.launch("-w", "1", "--log-level", "debug"))
			s.allow("gateway ended", "hand-over of connections ended")
			const n = 1000
			clients := make([]*client, n)
			for i := range clients {
				clients[i] = s.client()
				clients[i].ask("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET", 200, "hello")
			}
			first := s.the("gateway")
			s.freeze(first)
			config(2)
			s.kill(s.pid, syscall.SIGHUP)
			next := s.successor(first)
			s.client().ask("GET /version HTTP/1.1\r\nHost: test\r\n\r\n", "GET", 200, "2")
			s.stderr.await(t, 1, fmt.Sprintf("gateway accepts: pid=%d", next)) // the master has heard of it before it is stopped
			s.passOneLot(first, next)
			single := s.loadWith(2, "/", "Connection: close\r\n") // nobody accepts at the moment
			lost := n - lot
			if victim == "the next" {
				lost = lot
				s.kill(next, syscall.SIGKILL)
				s.stderr.await(t, 1, "hand-over of connections ended") // from here on clients are told to close
			} else {
				s.kill(first, syscall.SIGKILL)
				s.stderr.await(t, 1, "gateway ended while it drained") // so it does not hear the answer any more
				s.kill(next, syscall.SIGCONT)
			}
			cut, closing := 0, 0
			for _, c := range clients {
				response, err := askOn(c.conn, "/")
				switch {
				case err != nil:
					cut++
				case response.StatusCode != 200:
					t.Errorf("status %d", response.StatusCode)
				case response.Close:
					closing++
				}
			}
			if cut != lost {
				t.Errorf("%d of %d connections were lost, want %d", cut, n, lost)
			}
			if victim == "the next" && closing != n-lost || victim != "the next" && closing != 0 {
				t.Errorf("%d of %d connections were told to close", closing, n-lost)
			}
			single.flows()
			single.end().atMost(t, nil)
			s.stderr.await(t, 1, "indrik.master: reload done")
			s.hangUp()
			s.wants("/version", 200, "2")
			config(3)
			s.reload(2)
			s.hangUp()
			s.wants("/version", 200, "3")
			s.stop()
		})
	}
}

// lot is how many connections are in one message of a hand-over.
const lot = 64

// passOneLot lets a gateway that is stopped and was told to hand over pass one message
// of connections, and a second that is not confirmed. The next gateway is stopped then,
// and the one before waits for it.
func (s *service) passOneLot(first, next int) {
	s.t.Helper()
	send := func() {
		s.t.Helper()
		watched := s.watched(first)
		s.kill(first, syscall.SIGCONT)
		s.until("connections are on their way", func() bool { return s.watched(first) <= watched-lot })
		time.Sleep(50 * time.Millisecond) // between this and the sending there is nothing to be seen
	}
	s.freeze(next)
	before := descriptors(s.t, next)
	send()
	s.freeze(first)
	s.kill(next, syscall.SIGCONT)
	s.until("the first message is taken", func() bool { return descriptors(s.t, next) >= before+lot })
	time.Sleep(20 * time.Millisecond) // to see whether more come
	if more := descriptors(s.t, next) - before; more >= 2*lot {
		s.t.Fatalf("%d descriptors came with one message", more)
	}
	s.freeze(next)
	send()
}

// watched is how many descriptors a process has in its epoll sets.
func (s *service) watched(pid int) (n int) {
	s.t.Helper()
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid)) // the pattern is well formed
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil {
			n += strings.Count(string(text), "tfd:")
		}
	}
	return n
}
