package gateway

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// lockedBuffer collects a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func TestResponsesOfAConnection(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, text("hello", "Content-Type", "text/plain", "Connection", "close", "Server", "x"))
	c := g.dial()
	for range 3 {
		c.say(get)
		r, body := c.hear("GET")
		if r.StatusCode != 200 || body != "hello" || r.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("got %v %q", r, body)
		}
		if r.Close || r.ContentLength != 5 || r.Header.Get("Server") != "indrik" || r.Header.Get("Date") == "" {
			t.Errorf("head: %v, length %d", r.Header, r.ContentLength)
		}
	}
	c.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if r, body := c.hear("HEAD"); body != "" || r.Close {
		t.Errorf("HEAD got %q, close %v", body, r.Close)
	}
	c.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if r, _ := c.hear("GET"); !r.Close {
		t.Error("the response to Connection: close does not say so")
	}
	c.closed()
	old := g.dial()
	old.say("GET / HTTP/1.0\r\n\r\n")
	if r, body := old.hear("GET"); body != "hello" || !r.Close {
		t.Errorf("HTTP/1.0 got %q, close %v", body, r.Close)
	}
	old.closed()
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	g := newRig(t, nil)
	echo := func(s *seat, id int64, env map[string]any, body []byte, _ int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte(env["PATH_INFO"].(string) + string(body))})
	}
	g.hire(0, echo)
	g.hire(1, echo)
	c := g.dial()
	var all strings.Builder
	const n = 200
	for i := range n {
		body := strings.Repeat("b", i)
		fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
	}
	go func() { _, _ = c.Write([]byte(all.String())) }()
	for i := range n {
		if _, body := c.hear("POST"); body != fmt.Sprintf("/%d%s", i, strings.Repeat("b", i)) {
			t.Fatalf("response %d is %q", i, body)
		}
	}
}

// However the bytes of a request are cut, its worker sees it whole.
func TestEverySplitOfARequest(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, _ int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Appendf(nil, "%v %s", env["HTTP_X_A"], body)})
	})
	const request = "POST /p HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nContent-Length: 4\r\nX-A: 2\r\n\r\nbody"
	c := g.dial()
	for cut := 1; cut < len(request); cut++ {
		c.say(request[:cut])
		time.Sleep(200 * time.Microsecond) // mostly two reads; it must hold for one as well
		c.say(request[cut:])
		if _, body := c.hear("POST"); body != "1,2 body" {
			t.Fatalf("cut at %d: %q", cut, body)
		}
	}
}

func TestEnvironOfARequest(t *testing.T) {
	g := newRig(t, nil)
	seen := make(chan map[string]any, 1)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		seen <- env
		s.send(dispatch.Tuple{id, "204 No Content", fields(), []byte{}})
	})
	c := g.dial()
	c.say("GET /a%20b/%e4?q=1&r=%20 HTTP/1.1\r\nHost: example.org:81\r\nX_A: forged\r\nX-A: \xe4\r\nProxy: evil\r\n" +
		"Content-Type: a/b\r\nCookie: c=1\r\nCookie: d=2\r\nMade-Up: x\r\n\r\n")
	r, _ := c.hear("GET")
	if r.StatusCode != 204 || r.Header.Get("Content-Length") != "" || r.Close {
		t.Errorf("204 came as %v", r)
	}
	env := <-seen
	host, port, _ := strings.Cut(g.address, ":")
	for key, want := range map[string]any{
		"REQUEST_METHOD": "GET", "PATH_INFO": "/a b/ä", "QUERY_STRING": "q=1&r=%20", "SCRIPT_NAME": "",
		"RAW_URI": "/a%20b/%e4?q=1&r=%20", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": host, "SERVER_PORT": port,
		"HTTP_HOST": "example.org:81", "HTTP_X_A": "ä", "CONTENT_TYPE": "a/b", "HTTP_COOKIE": "c=1; d=2",
		"HTTP_MADE_UP": "x", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http", "wsgi.multiprocess": true,
		"wsgi.multithread": false, "wsgi.run_once": false, "wsgi.input_terminated": true, "SERVER_SOFTWARE": "indrik",
		"HTTP_PROXY": nil, "CONTENT_LENGTH": nil, "HTTP_CONTENT_TYPE": nil,
	} {
		if env[key] != want {
			t.Errorf("%s is %#v, want %#v", key, env[key], want)
		}
	}
}

func TestMalformedRequestsNeverReachAWorker(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, text("reached the worker"))
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET / HTTP/1.1\n\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400}, // no Host
		{"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
		{"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 9000) + "\r\n\r\n", 431},
		{"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
	} {
		client := g.dial()
		client.say(c.request)
		r, body := client.hear("GET")
		if r.StatusCode != c.status || !r.Close || strings.Contains(body, "reached") {
			t.Errorf("%q got %d (close %v) %q, want %d and close", c.request, r.StatusCode, r.Close, body, c.status)
		}
		client.closed()
	}
}

// What an application may not send must not reach the client in part.
func TestForbiddenRepliesBecome500(t *testing.T) {
	g := newRig(t, nil)
	var reply shared[func(id int64) dispatch.Tuple]
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) { s.send(reply.get()(id)) })
	for name, f := range map[string]func(id int64) dispatch.Tuple{
		"status":    func(id int64) dispatch.Tuple { return dispatch.Tuple{id, "200 OK\r\nX: y", fields(), []byte("b")} },
		"status 99": func(id int64) dispatch.Tuple { return dispatch.Tuple{id, "99 No", fields(), []byte("b")} },
		"name":      func(id int64) dispatch.Tuple { return dispatch.Tuple{id, "200 OK", fields("A B", "c"), []byte("b")} },
		"value": func(id int64) dispatch.Tuple {
			return dispatch.Tuple{id, "200 OK", fields("A", "c\r\nD: e"), []byte("b")}
		},
		"latin-1": func(id int64) dispatch.Tuple { return dispatch.Tuple{id, "200 OK", fields("A", "\u20ac"), []byte("b")} },
		"length": func(id int64) dispatch.Tuple {
			return dispatch.Tuple{id, "200 OK", fields("Content-Length", "x"), []byte("b")}
		},
		"lengths": func(id int64) dispatch.Tuple {
			return dispatch.Tuple{id, "200 OK", fields("Content-Length", "1", "content-length", "1"), []byte("b")}
		},
		"body":    func(id int64) dispatch.Tuple { return dispatch.Tuple{id, "200 OK", fields(), "text"} },
		"headers": func(id int64) dispatch.Tuple { return dispatch.Tuple{id, "200 OK", "no", []byte("b")} },
	} {
		reply.set(f)
		c := g.dial()
		c.say(get)
		if r, body := c.hear("GET"); r.StatusCode != http.StatusInternalServerError || r.Header.Get("D") != "" {
			t.Errorf("%s: got %d %v %q, want 500", name, r.StatusCode, r.Header, body)
		}
	}
	if !strings.Contains(g.log.String(), "reply refused") {
		t.Error("the log does not say why")
	}
	g.log.reset()
}

func TestDeclaredLengthIsKept(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, text("hello", "Content-Length", "3"))
	c := g.dial()
	c.say(get + get)
	for range 2 {
		if _, body := c.hear("GET"); body != "hel" {
			t.Errorf("a body longer than declared came as %q", body)
		}
	}
	short := newRig(t, nil)
	short.hire(0, text("hello", "Content-Length", "9"))
	c = short.dial()
	c.say(get)
	if _, body, err := c.listen("GET"); err == nil || body != "hello" {
		t.Errorf("a body shorter than declared came as %q, %v; the client cannot tell", body, err)
	}
	g.log.reset()
	short.log.reset()
}

// The client of a dead worker gets a 502, one of a worker that was killed for
// being late a 504, and nobody else notices.
func TestADeadWorkersClientsAreAnswered(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for cause, status := range map[string]int{"crashed": 502, CauseTimeout: 504} {
		c := g.dial()
		c.say(get)
		id, _, _, _, _ := s.take()
		s.dies(cause, id)
		if r, _ := c.hear("GET"); r.StatusCode != status || r.Close {
			t.Errorf("cause %q gave %d, close %v; want %d on a connection that goes on", cause, r.StatusCode, r.Close, status)
		}
		s = g.hire(0, nil)
		c.say(get)
		id, _, _, _, _ = s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("again")})
		if _, body := c.hear("GET"); body != "again" {
			t.Errorf("after the death the connection gave %q", body)
		}
	}
}

// A reply that was sent before the worker died counts, even if the master's
// word of the death comes first.
func TestTheLastReplyOfADeadWorkerIsSent(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for range 20 {
		c := g.dial()
		c.say(get)
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("last words")})
		s.dies("crashed", id)
		if r, body := c.hear("GET"); r.StatusCode != 200 || body != "last words" {
			t.Fatalf("got %d %q", r.StatusCode, body)
		}
		s = g.hire(0, nil)
	}
}

// A worker killed between taking a request and writing its id leaves no trace;
// the request must be found missing, without any other traffic.
func TestARequestThatNobodyHoldsIsFound(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	s.take()
	s.dies("crashed")
	if r, _ := c.hear("GET"); r.StatusCode != 502 {
		t.Errorf("got %d, want 502", r.StatusCode)
	}
}

// A request that still lies in the lane must survive its worker's death.
func TestWaitingRequestsSurviveADeath(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	waitFor(t, func() bool { return inLane(g) })
	s.dies("crashed")
	time.Sleep(400 * time.Millisecond) // several searches for lost requests
	g.hire(0, text("from the successor"))
	if r, body := c.hear("GET"); r.StatusCode != 200 || body != "from the successor" {
		t.Errorf("got %d %q", r.StatusCode, body)
	}
}

func inLane(g *rig) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(g.lane[1], b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("waited too long")
		}
	}
}

// A client that leaves while its request is queued takes it along.
func TestRequestsOfClientsThatLeftNeverReachAWorker(t *testing.T) {
	g := newRig(t, nil)
	gone := g.dial()
	gone.say("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
	stays := g.dial()
	stays.say("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n")
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 2 })
	_ = gone.Conn.(interface{ SetLinger(int) error }).SetLinger(0) // reset
	_ = gone.Close()
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 1 })
	paths := make(chan string, 2)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		paths <- env["PATH_INFO"].(string)
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("ok")})
	})
	stays.hear("GET")
	if first := <-paths; first != "/stays" || len(paths) > 0 {
		t.Errorf("the worker saw %q and %d more", first, len(paths))
	}
}

func TestAFullQueueAnswers503(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Queue = 1; c.QueueTimeout = time.Second })
	first := g.dial()
	first.say(get)
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 })
	second := g.dial()
	second.say(get)
	if r, _ := second.hear("GET"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("past the queue's limit: %v", r)
	}
	if r, _ := first.hear("GET"); r.StatusCode != 503 {
		t.Errorf("past the queue's deadline: %v", r)
	}
}

// With several loops every connection is answered, all loops have some, and all
// of them drain.
func TestSeveralLoops(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Loops = 3 })
	for slot := range 3 {
		g.hire(slot, text("ok"))
	}
	var clients []*client
	for range 30 {
		clients = append(clients, g.dial())
	}
	for range 20 {
		for _, c := range clients {
			c.say(get)
		}
		for _, c := range clients {
			if r, body := c.hear("GET"); body != "ok" || r.StatusCode != 200 {
				t.Fatalf("got %d %q", r.StatusCode, body)
			}
		}
	}
	for i := range 3 {
		waitFor(t, func() bool { return g.board.Loop(i).Connections() == 10 && g.board.Loop(i).Answered() == 200 })
	}
	check(t, g.master.Send(DrainOrder()))
	for _, c := range clients {
		c.closed()
	}
	g.expect(FactDrained)
}

// A client that reads slowly gets everything, in order, and holds no worker:
// others are served meanwhile.
func TestASlowReaderOfManyResponses(t *testing.T) {
	g := newRig(t, nil)
	page := strings.Repeat("0123456789abcdef", 4000)
	g.hire(0, text(page))
	c := g.dial()
	const n = 300 // far more than the socket's buffers hold
	go func() { _, _ = c.Write([]byte(strings.Repeat(get, n))) }()
	waitFor(t, func() bool { return g.board.Loop(0).Answered() > 1 })
	time.Sleep(100 * time.Millisecond) // so that the buffers are full
	other := g.dial()
	for range 10 {
		other.say(get)
		other.hear("GET")
	}
	for i := range n {
		if _, body := c.hear("GET"); body != page {
			t.Fatalf("response %d has %d bytes", i, len(body))
		}
	}
}

// A client that stops reading is given up after a while, and nothing of it stays.
func TestAClientThatStopsReadingIsClosed(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Patience = 300 * time.Millisecond })
	g.hire(0, text(strings.Repeat("x", 60_000)))
	c := g.dial()
	check(t, c.Conn.(*net.TCPConn).SetReadBuffer(4096))
	go func() { _, _ = c.Write([]byte(strings.Repeat(get, 1000))) }()
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 1 })
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 0 })
}

// A client that half-closes after its request still gets the response.
func TestAHalfClosedClientIsAnswered(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	check(t, c.Conn.(*net.TCPConn).CloseWrite())
	id, _, _, _, _ := s.take()
	time.Sleep(20 * time.Millisecond) // so that the end has been seen before the reply
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("still here")})
	if r, body := c.hear("GET"); body != "still here" || !r.Close {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	c.closed()
}

// A drain finishes what is held, says Connection: close, and takes nothing new.
func TestDrainFinishesWhatIsHeld(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c, idle := g.dial(), g.dial()
	idle.say(get)
	id, _, _, _, _ := s.take()
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("before")})
	idle.hear("GET")
	c.say(get)
	id, _, _, _, _ = s.take()
	check(t, g.master.Send(DrainOrder()))
	idle.closed()
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("during")})
	if r, body := c.hear("GET"); body != "during" || !r.Close {
		t.Errorf("the held request got %q, close %v", body, r.Close)
	}
	c.closed()
	g.expect(FactDrained)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	g := newRig(t, func(c *Config) { c.KeepAlive = 300 * time.Millisecond; c.Patience = 500 * time.Millisecond })
	g.hire(0, text("ok"))
	c, slow := g.dial(), g.dial()
	c.say(get)
	slow.say("GET / HT")
	c.hear("GET")
	c.closed()
	if r, _ := slow.hear("GET"); r.StatusCode != 408 {
		t.Errorf("half a head got %d, want 408", r.StatusCode)
	}
	slow.closed()
}

// reset forgets lines that a test has looked at.
func (b *lockedBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}
