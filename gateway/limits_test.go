package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// Every limit has its status, in whichever way it is passed.
func TestLimitsOfRequests(t *testing.T) {
	g := newRig(t, func(c *Config) { c.LineLimit, c.Fields, c.FieldLimit, c.BodyLimit = 50, 3, 40, 1000 })
	g.hire(0, readAll(t))
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET /" + strings.Repeat("a", 36) + " HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"GET /" + strings.Repeat("a", 37) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", 431},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("b", 35) + "\r\n\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("b", 45) + "\r\n\r\n", 431},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("b", 1000), 200},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + strings.Repeat("b", 1000) + "\r\n0\r\n\r\n", 200},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("b", 1001), 413},
	} {
		client := g.dial()
		client.say(c.request)
		if r, _ := client.hear("POST"); r.StatusCode != c.status || r.Close != (c.status != 200) {
			t.Errorf("%.70q got %d, close %v; want %d", c.request, r.StatusCode, r.Close, c.status)
		}
	}
}

// Past the cap clients wait in the accept queue, and are served when there is
// room again.
func TestConnectionsPastTheCapWait(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Connections = 2 })
	g.hire(0, text("ok"))
	first, second, third := g.dial(), g.dial(), g.dial()
	for _, c := range []*client{first, second} {
		c.say(get)
		c.hear("GET")
	}
	third.say(get)
	waitFor(t, func() bool { return strings.Contains(g.log.String(), "accepting paused") })
	check(t, third.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	if b, err := third.in.Peek(1); err == nil {
		t.Fatalf("a third client got %q", b)
	}
	check(t, third.SetReadDeadline(time.Now().Add(10*time.Second)))
	_ = first.Close()
	if _, body := third.hear("GET"); body != "ok" {
		t.Errorf("got %q", body)
	}
}

// Without a cap of its own the gateway must not use up its descriptors on
// connections: a request with a large body needs one more.
func TestConnectionsLeaveRoomForFiles(t *testing.T) {
	for _, c := range []struct {
		cap   int
		files uint64
		want  int
	}{{0, 1024, 880}, {0, 8, 16}, {0, 1 << 60, 1 << 30}, {7, 1024, 7}} {
		if got := (Config{Connections: c.cap}).withRoom(c.files).Connections; got != c.want {
			t.Errorf("cap %d with %d files: %d connections, want %d", c.cap, c.files, got, c.want)
		}
	}
}

// What is permitted must hold on both paths, and what is not must not.
func TestPermissionsHoldOnBothPaths(t *testing.T) {
	for _, permitted := range []bool{true, false} {
		g := newRig(t, func(c *Config) {
			if permitted {
				c.Permit = Permissions{SpaceBeforeColon: true, ObsoleteFolding: true, UnconventionalMethod: true, UnconventionalVersion: true, CasefoldMethod: true}
			}
		})
		g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, _ int) {
			s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Appendf(nil, "%v %v %s", env["REQUEST_METHOD"], env["HTTP_A"], body)})
		})
		for _, request := range []string{
			"post / HTTP/1.1\r\nHost: x\r\nA: b\r\nContent-Length: 1\r\n\r\nc",
			"POST / HTTP/1.1\r\nHost: x\r\nA : b\r\nContent-Length: 1\r\n\r\nc",
			"POST / HTTP/1.1\r\nHost: x\r\nA: \r\n b\r\nContent-Length: 1\r\n\r\nc",
			"post / HTTP/3.1\r\nHost: x\r\nA : b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n",
		} {
			c := g.dial()
			c.say(request)
			r, body := c.hear("POST")
			if got := r.StatusCode == 200 && body == "POST b c"; got != permitted {
				t.Errorf("permitted %v: %.60q got %d %.60q", permitted, request, r.StatusCode, body)
			}
		}
	}
}
