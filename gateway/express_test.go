package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

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
			t.Errorf("%.80q got %d (close %v) %.80q, want %d and close", c.request, r.StatusCode, r.Close, body, c.status)
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

// waitFor looks until done says so.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(limit) {
			t.Fatal("waited too long")
		}
		time.Sleep(time.Millisecond) // shared memory has no event to wait for
	}
}

// reset forgets lines that a test has looked at.
func (b *lockedBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}
