package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pipelining is a client that asks several times before it reads, on one connection.
type pipelining struct {
	stop   atomic.Bool
	done   sync.WaitGroup
	rounds atomic.Int64
	err    error // once done
}

func (s *service) pipeline() *pipelining {
	s.t.Helper()
	p, conn := &pipelining{}, s.dial()
	p.done.Go(func() {
		in := bufio.NewReader(conn)
		for p.err == nil && !p.stop.Load() {
			p.err = p.round(conn, in)
			p.rounds.Add(1)
		}
	})
	return p
}

func (p *pipelining) round(conn net.Conn, in *bufio.Reader) error {
	const depth = 7
	_ = conn.SetDeadline(time.Now().Add(patience)) // sockets have deadlines
	if _, err := io.WriteString(conn, strings.Repeat("GET / HTTP/1.1\r\nHost: p\r\n\r\n", depth)); err != nil {
		return err
	}
	for i := range depth {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 200 || string(body) != "hello" || r.Close {
			return fmt.Errorf("response %d: %d %q, close %v, %v", i, r.StatusCode, body, r.Close, err)
		}
	}
	return nil
}

// end stops the client after its round.
func (p *pipelining) end(t testing.TB) {
	t.Helper()
	p.stop.Store(true)
	p.done.Wait()
	if p.err != nil || p.rounds.Load() < 2 {
		t.Errorf("a client that pipelines: %v after %d rounds", p.err, p.rounds.Load())
	}
}

// A gateway that follows another has all of its connections in clear: whoever asks
// without pause keeps his, two thousand that say nothing are open at the end, a
// request in hand is answered, and nothing is left behind.
//
// Not parallel: two thousand connections move twenty times.
func TestConnectionsOutliveTheirGateway(t *testing.T) {
	w := newSite(t, "plain")
	config := func(n int) {
		w.put("indrik.toml", fmt.Sprintf("keepalive = %d\nclient_timeout = 1000\ngraceful_timeout = 60\n", 1000+n))
	}
	config(0)
	s := serve(t, w.launch("-w", "2"))
	s.allServe(2)
	master, first := descriptors(t, s.pid), s.the("gateway")
	gateway := descriptors(t, first)
	memory := resident(t, s.pid)
	const idlers = 2000
	idle := make([]*client, idlers)
	for i := range idle {
		idle[i] = s.client()
		if i%2 == 0 {
			idle[i].ask("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET", 200, "hello")
		}
	}
	kept, single := s.load(3, "/"), s.loadWith(2, "/", "Connection: close\r\n")
	pipelined := s.pipeline()
	for n := range 20 {
		config(n + 1)
		var slow *client
		if n == 10 {
			slow = s.client()
			slow.send("GET /hold/held/2 HTTP/1.1\r\nHost: test\r\n\r\n")
			s.note("held")
		}
		s.reload(n + 1)
		if slow != nil {
			if a := slow.wants("GET", 200, "held"); a.close {
				t.Error("the request in hand was told to close")
			}
			slow.ask("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET", 200, "hello")
			_ = slow.conn.Close() // it has all it asked for
		}
	}
	kept.flows()
	single.flows()
	kept.end().atMost(t, nil)
	single.end().atMost(t, nil)
	pipelined.end(t)
	if dials := kept.dials.Load(); dials != 3 {
		t.Errorf("clients that keep their connections made %d, want 3", dials)
	}
	for i, c := range idle {
		if a := c.ask("GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET", 200, "hello"); a.close {
			t.Fatalf("idle connection %d was told to close", i)
		}
	}
	if s.the("gateway") == first {
		t.Error("the gateway is the same")
	}
	t.Logf("resident, in KiB: master %d before and %d after, gateway %d", memory, resident(t, s.pid), resident(t, s.the("gateway")))
	s.hangUp()
	s.until("the master has as many descriptors as before", func() bool { return descriptors(t, s.pid) <= master+compiled })
	s.until("the gateway has as many descriptors as the first", func() bool { return descriptors(t, s.the("gateway")) <= gateway })
	s.stop()
}

// resident is the memory of a process in KiB.
func resident(t testing.TB, pid int) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err == nil {
		_, rest, _ := strings.Cut(string(text), "VmRSS:")
		_, err = fmt.Sscan(rest, &kib)
	}
	if err != nil {
		t.Fatalf("read the memory of process %d: %v", pid, err)
	}
	return kib
}

// A WebSocket goes on in the gateway where it began, while another serves, and is
// told to go (1012) when its time is over.
func TestAWebSocketOutlivesItsGateway(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	w.put("indrik.toml", "keepalive = 30\ngraceful_timeout = 3\n")
	l := w.launch("-w", "1")
	l.app = "wsbare:app"
	s := serve(t, l)
	c := s.client()
	c.send("GET /echo HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if r := c.head("GET"); r.StatusCode != 101 {
		t.Fatalf("the handshake got %d", r.StatusCode)
	}
	hears := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		_ = c.conn.SetReadDeadline(time.Now().Add(patience)) // sockets have deadlines
		if _, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
			t.Fatalf("heard %q, %v; want %q", got, err, want)
		}
	}
	w.put("indrik.toml", "keepalive = 31\ngraceful_timeout = 3\n")
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(t, 1, "generation took over", "same_gateway=false")
	s.wants("/", 200, "hello")
	c.send("\x81\x82\x00\x00\x00\x00hi") // masked by nothing
	hears("\x81\x02hi")
	hears("\x88\x02\x03\xf4")
	c.send("\x88\x82\x00\x00\x00\x00\x03\xf4")
	s.stderr.await(t, 1, "reload done")
	s.stop()
}
