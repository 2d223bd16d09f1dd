package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// http2Client speaks HTTP/2 over one TLS connection.
func (g *rig) http2Client(ca *authority) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	transport := &http.Transport{
		Protocols: &protocols, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: ca.pool, ServerName: "example.org"},
	}
	g.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func (g *rig) url(path string) string { return "https://" + g.address + path }

// ask makes a request and reads the whole response.
func ask(t *testing.T, c *http.Client, method, url string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(method, url, body)
	check(t, err)
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	r, err := c.Do(q)
	check(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	check(t, err)
	return r, string(text)
}

// The application sees the request that the client made, and the client the
// response that the application gave, whatever carried them.
func TestRequestsOverHTTP2(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	var seen shared[map[string]any]
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		seen.set(env)
		readAll(t)(s, id, env, body, fd)
	})
	c := g.http2Client(ca)
	r, body := ask(t, c, "GET", g.url("/a%20b/?q=%c3%a9"), nil, "X-Test", "yes", "Cookie", "a=1")
	if r.Proto != "HTTP/2.0" || r.StatusCode != 200 || body != "inline 0 <nil> " || r.Header.Get("Server") != "indrik" || r.Header.Get("Date") == "" {
		t.Errorf("got %v %d %q %v", r.Proto, r.StatusCode, body, r.Header)
	}
	if _, there := r.Header["Content-Type"]; there {
		t.Error("a content type was made up")
	}
	for key, value := range map[string]any{
		"SERVER_PROTOCOL": "HTTP/2", "REQUEST_METHOD": "GET", "PATH_INFO": "/a b/", "QUERY_STRING": "q=%c3%a9", "RAW_URI": "/a%20b/?q=%c3%a9",
		"HTTP_HOST": g.address, "HTTP_X_TEST": "yes", "HTTP_COOKIE": "a=1", "wsgi.url_scheme": "https", "HTTPS": "on", "REMOTE_ADDR": "127.0.0.1",
	} {
		if got := seen.get()[key]; got != value {
			t.Errorf("%s is %v, want %v", key, got, value)
		}
	}
	for _, n := range []int{1, 5000, inlineBody, inlineBody + 1, 3 << 20} {
		text := strings.Repeat("b", n)
		for how, body := range map[string]io.Reader{"declared": strings.NewReader(text), "open": io.MultiReader(strings.NewReader(text))} {
			_, got := ask(t, c, "POST", g.url("/"), body, "Expect", "100-continue")
			if !strings.HasSuffix(got, fmt.Sprintf(" %d %d %.3s", n, n, text)) {
				t.Errorf("%s body of %d: got %q", how, n, got)
			}
		}
	}
}

// Requests of one connection do not wait for each other.
func TestStreamsAreIndependent(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	release := make(chan bool)
	for slot := range 2 {
		g.hire(slot, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
			if env["PATH_INFO"] == "/slow" {
				<-release
			}
			text("hello")(s, id, env, body, fd)
		})
	}
	c := g.http2Client(ca)
	ask(t, c, "GET", g.url("/"), nil) // so that there is one connection
	slow := make(chan string)
	go func() {
		_, body := ask(t, c, "GET", g.url("/slow"), nil)
		slow <- body
	}()
	for range 5 {
		ask(t, c, "GET", g.url("/"), nil)
	}
	if n := g.board.Loop(0).Accepted(); n > 1 {
		t.Errorf("there were %d connections", n)
	}
	close(release)
	if body := <-slow; body != "hello" {
		t.Errorf("got %q", body)
	}
}

// Files, streams, trailers, hints and answers without a body come as they do
// over HTTP/1.1; what was broken off is a reset stream and not an end.
func TestResponsesOverHTTP2(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	content := strings.Repeat("0123456789", 200_000)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		switch env["PATH_INFO"] {
		case "/file":
			fd := memfd(t, content)
			s.send(dispatch.Tuple{id, "200 OK", fields("Content-Type", "text/plain"), dispatch.Tuple{int64(5), int64(len(content) - 5)}}, fd)
			_ = unix.Close(fd)
		case "/stream":
			w := s.stream(id, fields("Connection", "close", "X-A", "1", "X-A", "2"), "first,")
			_, _ = io.WriteString(w, content)
			s.send(dispatch.Tuple{id, nil, true, "", fields("X-Trailer", "last")})
			_ = w.Close()
		case "/hint":
			s.send(dispatch.Tuple{id, int64(103), fields("Link", "</a>; rel=preload")})
			text("hello")(s, id, env, nil, -1)
		case "/empty":
			s.send(dispatch.Tuple{id, "204 No Content", fields(), []byte{}})
		case "/304":
			s.send(dispatch.Tuple{id, "304 Not Modified", fields("ETag", `"a"`), []byte{}})
		case "/long":
			s.send(dispatch.Tuple{id, "200 OK", fields("Content-Length", "3"), []byte("abcdef")})
		case "/short":
			s.send(dispatch.Tuple{id, "200 OK", fields("Content-Length", "10"), []byte("abc")})
		case "/broken", "/lost":
			headers := fields()
			if env["PATH_INFO"] == "/lost" {
				headers = fields("Content-Length", "100")
			}
			s.finish(id, s.stream(id, headers, "first,"), false)
		}
	})
	c := g.http2Client(ca)
	for path, want := range map[string]string{"/file": content[5:], "/stream": "first," + content, "/empty": "", "/304": "", "/hint": "hello", "/long": "abc"} {
		if r, body := ask(t, c, "GET", g.url(path), nil, "TE", "trailers"); body != want {
			t.Errorf("%s: %d, %d bytes, want %d", path, r.StatusCode, len(body), len(want))
		}
	}
	r, body := ask(t, c, "GET", g.url("/stream"), nil, "TE", "trailers")
	if r.Trailer.Get("X-Trailer") != "last" || len(r.Header["X-A"]) != 2 || r.Header.Get("Connection") != "" || r.ContentLength != -1 {
		t.Errorf("stream: trailer %v, header %v, %d bytes", r.Trailer, r.Header, len(body))
	}
	if r, body := ask(t, c, "HEAD", g.url("/file"), nil); body != "" || r.StatusCode != 200 {
		t.Errorf("HEAD: %q, length %d", body, r.ContentLength)
	}
	hinted := ""
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hinted = fmt.Sprint(code, h.Get("Link"))
		return nil
	}}
	q, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "GET", g.url("/hint"), nil)
	check(t, err)
	r, err = c.Do(q)
	check(t, err)
	_ = r.Body.Close()
	if hinted != "103</a>; rel=preload" || r.Header.Get("Link") != "" {
		t.Errorf("hint: %q, then %v", hinted, r.Header)
	}
	for _, path := range []string{"/broken", "/lost", "/short"} {
		r, err := c.Get(g.url(path))
		if err == nil {
			_, err = io.ReadAll(r.Body)
		}
		if err == nil {
			t.Errorf("%s looked whole", path)
		}
	}
	g.log.reset() // the application declared another length
}

// Each piece of a stream reaches the client before the next one is made.
func TestStreamedPiecesOverHTTP2(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	next := make(chan bool)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		w := s.stream(id, fields("Content-Type", "text/event-stream"), "")
		for range 5 {
			<-next
			_, _ = io.WriteString(w, "piece,")
		}
		s.finish(id, w, true)
	})
	r, err := g.http2Client(ca).Get(g.url("/"))
	check(t, err)
	for range 5 {
		next <- true
		piece := make([]byte, 6)
		_, err := io.ReadFull(r.Body, piece)
		check(t, err)
		if string(piece) != "piece," {
			t.Errorf("got %q", piece)
		}
	}
	rest, err := io.ReadAll(r.Body)
	if err != nil || len(rest) > 0 {
		t.Errorf("the end: %q, %v", rest, err)
	}
}

// The limits of HTTP/1.1 hold for HTTP/2.
func TestRefusalsOverHTTP2(t *testing.T) {
	g, ca := newTLSRig(t, func(c *Config) { c.BodyLimit, c.Patience, c.Fields = 10, 500*time.Millisecond, 20 })
	g.hire(0, text("hello"))
	c := g.http2Client(ca)
	many := make([]string, 0, 60)
	for i := range 30 {
		many = append(many, fmt.Sprintf("X-%d", i), "v")
	}
	for _, x := range []struct {
		name, method, path string
		body               io.Reader
		headers            []string
		status             int
	}{
		{"line", "GET", "/" + strings.Repeat("a", 5000), nil, nil, 414},
		{"field", "GET", "/", nil, []string{"X-Long", strings.Repeat("a", 9000)}, 431},
		{"fields", "GET", "/", nil, many, 431},
		{"method", "brew", "/", nil, nil, 400},
		{"declared body", "POST", "/", strings.NewReader(strings.Repeat("b", 11)), nil, 413},
		{"open body", "POST", "/", io.MultiReader(strings.NewReader(strings.Repeat("b", 11))), nil, 413},
		{"nothing wrong", "GET", "/", nil, nil, 200},
	} {
		if r, _ := ask(t, c, x.method, g.url(x.path), x.body, x.headers...); r.StatusCode != x.status {
			t.Errorf("%s: got %d, want %d", x.name, r.StatusCode, x.status)
		}
	}
	slow, w := io.Pipe()
	go func() { _, _ = w.Write([]byte("b")) }()
	if r, _ := ask(t, c, "POST", g.url("/"), slow); r.StatusCode != 408 {
		t.Errorf("a body that stops: got %d, want 408", r.StatusCode)
	}
}

// A request whose stream is reset while it waits never reaches the
// application.
func TestResetWhileQueued(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	s := g.hire(0, nil)
	c := g.http2Client(ca)
	var waiting sync.WaitGroup
	waiting.Go(func() { // holds the seat
		ask(t, c, "GET", g.url("/held"), nil)
	})
	id, _, _, _, _ := s.take()
	ctx, cancel := context.WithCancel(context.Background())
	for range 10 {
		q, err := http.NewRequestWithContext(ctx, "GET", g.url("/left"), nil)
		check(t, err)
		waiting.Go(func() {
			if _, err := c.Do(q); !errors.Is(err, context.Canceled) {
				t.Errorf("a request that was given up ended with %v", err)
			}
		})
	}
	// The lane holds two beside the one in hand; these are with the worker already.
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 9 })
	cancel()
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 0 })
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("held")})
	waiting.Go(func() { ask(t, c, "GET", g.url("/last"), nil) })
	for path := ""; path != "/last"; {
		id, env, _, _, ok := s.take()
		if !ok {
			t.Fatal("the lane ended")
		}
		if path = env["PATH_INFO"].(string); path == "/left" && g.board.Loop(0).Queued() > 0 {
			t.Error("a request that was given up was dispatched")
		}
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("x")})
	}
	waiting.Wait()
}

// A drain answers what has been asked, tells the client to ask elsewhere and
// closes; a client that obeys loses nothing.
func TestDrainOverHTTP2(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	release, entered := make(chan bool), make(chan bool, 1)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		if env["PATH_INFO"] == "/slow" {
			entered <- true
			<-release
		}
		text("hello")(s, id, env, body, fd)
	})
	idle, busy := g.http2Client(ca), g.http2Client(ca)
	ask(t, idle, "GET", g.url("/"), nil)
	answered := make(chan string)
	go func() {
		_, body := ask(t, busy, "GET", g.url("/slow"), nil)
		answered <- body
	}()
	<-entered
	check(t, g.master.Send(DrainOrder(0)))
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 1 })
	close(release)
	if body := <-answered; body != "hello" {
		t.Errorf("got %q", body)
	}
	busy.CloseIdleConnections()
	g.expect(FactDrained)
}

// Prior knowledge is served where it is switched on, in whatever pieces the
// preface comes, and is a bad request elsewhere.
func TestCleartextHTTP2(t *testing.T) {
	for _, on := range []bool{true, false} {
		g := newRig(t, func(c *Config) { c.HTTP2.Cleartext = on })
		g.hire(0, text("hello"))
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: &protocols}
		c := &http.Client{Transport: transport, Timeout: 5 * time.Second}
		r, err := c.Get("http://" + g.address + "/")
		if (err == nil) != on {
			t.Fatalf("switched on %v: %v", on, err)
		}
		transport.CloseIdleConnections()
		if on {
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != "hello" || r.ProtoMajor != 2 {
				t.Errorf("got %q, %v, HTTP/%d", body, err, r.ProtoMajor)
			}
			continue
		}
		raw := g.dial()
		raw.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		if r, _ := raw.hear("GET"); r.StatusCode < 400 {
			t.Errorf("the preface got %d", r.StatusCode)
		}
	}
	g := newRig(t, func(c *Config) { c.HTTP2.Cleartext = true })
	g.hire(0, text("hello"))
	raw := g.frames()
	for _, b := range []byte(preface) {
		raw.say(string(b))
	}
	raw.settings()
	raw.headers(1, "/")
	for {
		kind, _, payload := raw.frame()
		if kind == frameData && bytes.Contains(payload, []byte("hello")) {
			break
		}
	}
	plain := g.dial()
	plain.say(get)
	if _, body := plain.hear("GET"); body != "hello" {
		t.Errorf("HTTP/1.1 beside it: %q", body)
	}
}
