package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// hears checks that exactly this text comes next.
func (c *client) hears(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c.in, got)
	check(c.t, err)
	if string(got) != want {
		c.t.Fatalf("got %q, want %q", got, want)
	}
}

// Early hints reach the client before the application has answered, in order
// and never after the head; a client that speaks HTTP/1.0 gets none.
func TestEarlyHints(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for _, version := range []string{"1.1", "1.0", "1.1"} {
		c := g.dial()
		c.say("GET / HTTP/" + version + "\r\nHost: x\r\n\r\n")
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, int64(103), fields("Link", "</a>; rel=preload", "Connection", "close", "Content-Length", "7")})
		s.send(dispatch.Tuple{id, int64(103), dispatch.Tuple{dispatch.Tuple{[]byte("link"), []byte("</\xe4>")}}})
		if version == "1.1" {
			c.hears("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
			c.hears("HTTP/1.1 103 Early Hints\r\nlink: </\xe4>\r\n\r\n")
		}
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("done")})
		s.send(dispatch.Tuple{id, int64(103), fields("Link", "late")})
		if r, body := c.hear("GET"); r.StatusCode != 200 || body != "done" || r.Close != (version == "1.0") {
			t.Errorf("HTTP/%s: got %v %q", version, r, body)
		}
	}
}

// However many hints an application sends, its gateway holds a bounded number.
func TestHintsPastTheLimitAreDropped(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		for i := range 3 * maxHints {
			s.send(dispatch.Tuple{id, int64(103), fields("N", fmt.Sprint(i))})
		}
		w := s.stream(id, fields("Content-Length", "2"), "o")
		s.send(dispatch.Tuple{id, int64(103), fields("N", "late")})
		_, _ = w.WriteString("k")
		s.finish(id, w, true)
	})
	c := g.dial()
	for range 3 { // the connection goes on
		c.say(get)
		for i := range maxHints {
			c.hears(fmt.Sprintf("HTTP/1.1 103 Early Hints\r\nN: %d\r\n\r\n", i))
		}
		if r, body := c.hear("GET"); r.StatusCode != 200 || body != "ok" {
			t.Errorf("got %v %q", r, body)
		}
	}
}

// A hint that could split the response is not sent, and the response is.
func TestHintsThatCannotBeSent(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	for _, hint := range []dispatch.List{fields("A\r\nB", "x"), fields("A", "x\r\ny: z"), fields("A", "ł")} {
		c.say(get)
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, int64(103), hint})
		s.send(dispatch.Tuple{id, int64(200), fields(), []byte("ok")})
		if r, body := c.hear("GET"); r.StatusCode != 200 || body != "ok" {
			t.Errorf("%v: got %v %q", hint, r, body)
		}
	}
	if n := strings.Count(g.log.String(), "informational response refused"); n != 3 {
		t.Errorf("the log speaks of %d refused hints, want 3", n)
	}
	g.log.reset()
}

// ASGI gives statuses as numbers and fields as bytes; both forms are checked
// alike, and what cannot be sent becomes a 500.
func TestFormsOfAReply(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	bytesField := func(name, value string) dispatch.List {
		return dispatch.List{dispatch.List{[]byte(name), []byte(value)}}
	}
	for _, c := range []struct {
		status  any
		headers dispatch.List
		line    string
	}{
		{int64(200), bytesField("a", "\xe4"), "200 OK"},
		{int64(299), fields("a", "\u00e4"), "299"},
		{"404 Not Here", bytesField("a", "\xe4"), "404 Not Here"},
		{"200 \u00dcber", bytesField("a", "\xe4"), "200 \xdcber"},
		{int64(99), fields(), "500 Internal Server Error"},
		{int64(1000), fields(), "500 Internal Server Error"},
		{int64(103), fields(), "500 Internal Server Error"},
		{true, fields(), "500 Internal Server Error"},
		{"20", fields(), "500 Internal Server Error"},
		{"200 \u0142", fields(), "500 Internal Server Error"},
		{"200 OK\r\nA: b", fields(), "500 Internal Server Error"},
		{int64(200), bytesField("a", "b\r\nc: d"), "500 Internal Server Error"},
		{int64(200), bytesField("a", "b\x00"), "500 Internal Server Error"},
		{int64(200), bytesField("", "b"), "500 Internal Server Error"},
		{int64(200), bytesField("content-length", "+2"), "500 Internal Server Error"},
		{int64(200), bytesField("content-length", "two"), "500 Internal Server Error"},
		{int64(200), append(bytesField("content-length", "2"), fields("Content-Length", "2")...), "500 Internal Server Error"},
		{int64(200), dispatch.List{dispatch.List{[]byte("a"), int64(1)}}, "500 Internal Server Error"},
	} {
		client := g.dial()
		client.say(get)
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, c.status, c.headers, []byte("ok")})
		r, _ := client.hear("GET")
		if strings.TrimSpace(r.Status) != c.line {
			t.Errorf("%v %q: the client got %q, want %q", c.status, c.headers, r.Status, c.line)
		}
		if r.StatusCode != 500 && r.Header.Get("A") != "\xe4" {
			t.Errorf("%v %q: the field came as %q", c.status, c.headers, r.Header.Get("A"))
		}
	}
	g.log.reset()
}

// Trailers go to those who asked for them, and what may not be one is left out.
func TestTrailers(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		w := s.stream(id, fields(), "body")
		s.send(dispatch.Tuple{id, nil, true, "", fields("Checksum", "1", "Content-Length", "5", "Connection", "close")})
		_ = w.Close()
	})
	c := g.dial()
	for _, te := range []string{"", "TE: trailers\r\n", "te: deflate;q=0.5, Trailers\r\n", "TE: x\r\n"} {
		c.say("GET / HTTP/1.1\r\nHost: x\r\n" + te + "\r\n")
		r, body := c.hear("GET")
		want := http.Header(nil)
		if strings.Contains(strings.ToLower(te), "trailers") {
			want = http.Header{"Checksum": {"1"}}
		}
		if body != "body" || fmt.Sprint(r.Trailer) != fmt.Sprint(want) {
			t.Errorf("%q: got %q and trailers %v, want %v", te, body, r.Trailer, want)
		}
	}
}

// A head that comes byte by byte is copied only when its room grows, and parsed
// once.
func TestATricklingHeadIsNotCopiedForEachByte(t *testing.T) {
	b := newBench(t)
	head := "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 6000) + "\r\n\r\n"
	moved, last := 0, (*byte)(nil)
	for i := range len(head) - 1 {
		_, err := unix.Write(b.client, []byte{head[i]})
		need(t, err)
		b.conn.readable = true
		b.loop.read(b.conn)
		if at := &b.conn.pending[0]; at != last {
			moved, last = moved+1, at
		}
	}
	if moved > 8 {
		t.Errorf("%d bytes that came one by one were moved %d times", len(head), moved)
	}
	if string(b.conn.pending) != head[:len(head)-1] {
		t.Errorf("what is kept is not what was sent")
	}
}

// A head must be complete in time, whatever trickles in.
func TestTricklingBuysNoTime(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Patience = 400 * time.Millisecond })
	c := g.dial()
	began := time.Now()
	go func() {
		for range 1000 {
			if _, err := io.WriteString(c.Conn, "G"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // the pace of the client
		}
	}()
	if r, _ := c.hear("GET"); r.StatusCode != 400 && r.StatusCode != 408 || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %v", r, time.Since(began))
	}
}

// An event of a connection that was closed in the same round must not touch the
// one that was given its descriptor.
func TestLateEventsAreForNobody(t *testing.T) {
	b := newBench(t)
	l := b.loop
	fd := b.conn.fd
	late := unix.EpollEvent{Fd: int32(fd), Pad: l.sources[fd].turn, Events: unix.EPOLLRDHUP | unix.EPOLLHUP}
	l.close(b.conn)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	need(t, err)
	if pair[0] != fd {
		need(t, unix.Dup3(pair[0], fd, unix.O_CLOEXEC))
	}
	next := &conn{fd: fd, listener: b.conn.listener, peer: b.conn.peer}
	l.adopt(next)
	l.handle(&late)
	if next.ended || next.phase != reading {
		t.Errorf("the new connection is %v, ended %v", next.phase, next.ended)
	}
	late.Pad = l.sources[fd].turn
	l.handle(&late)
	if !next.ended {
		t.Error("its own event is lost as well")
	}
}

// A client that is gone takes its request along also when a goroutine has its
// connection.
func TestAGoneClientsLargeRequestNeverReachesAWorker(t *testing.T) {
	g := newRig(t, nil)
	c := g.dial()
	c.say("POST /gone HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 })
	check(t, c.Conn.(*net.TCPConn).SetLinger(0)) // reset
	_ = c.Close()
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 0 })
	paths := make(chan string, 2)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		paths <- env["PATH_INFO"].(string)
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("ok")})
	})
	stays := g.dial()
	stays.say("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n")
	stays.hear("GET")
	if first := <-paths; first != "/stays" {
		t.Errorf("the worker saw %q", first)
	}
}
