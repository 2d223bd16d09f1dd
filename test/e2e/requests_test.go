package e2e

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/control"
)

// What is in hand is told for every kind of worker: what it is, whose, since when, and where
// it stands. Two requests are with workers, the third waits for them.
func TestRequestsInHand(t *testing.T) {
	eachClass(t, 2, func(t *testing.T, c class) {
		if c.name != "eventlet" { // as gevent
			requestsInHand(t, c)
		}
	})
}

func requestsInHand(t *testing.T, c class) {
	args := map[string][]string{
		"sync":    {"-w", "2"},
		"gthread": {"-w", "1", "--threads", "2"},
		"gevent":  {"-w", "1", "-k", "gevent", "--worker-connections", "2"},
		"asgi":    {"-w", "1", "--worker-connections", "2"},
	}[c.name]
	shared := c.name == "sync" || c.name == "gthread"
	word := "hold"
	if c.name == "asgi" {
		word = "wait"
	}
	s := serveControlled(t, launch{app: c.app, args: append(args, "--gateway-threads", "1", "--graceful-timeout", "1")})
	s.allow("graceful timeout", "worker ended", "request failed", "requests were given up", "worker killed")
	if out := s.runs("requests"); !strings.Contains(out, "No request is in hand") {
		t.Errorf("before the first: %s", out)
	}
	begun := time.Now()
	for i := range 2 {
		name := fmt.Sprintf("%s%d", c.name, i)
		s.service.client().send("GET /" + word + "/" + name + "/60/%C3%A4?secret=1 HTTP/1.1\r\nHost: test\r\n\r\n")
		s.note(name)
	}
	for i := range 3 {
		s.service.client().send(fmt.Sprintf("POST /%s/late%d/60 HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx", word, i))
		s.until("the gateway has it", func() bool { return len(learn[[]control.Request](s, "requests")) == i+3 })
	}
	all := learn[[]control.Request](s, "requests")
	workers := s.children("worker")
	for i, r := range all {
		late := i >= 2
		method, path := "GET", fmt.Sprintf("/%s/%s%d/60/ä", word, c.name, i)
		if late {
			method, path = "POST", fmt.Sprintf("/%s/late%d/60", word, i-2)
		}
		if r.Method != method || r.Path != path || r.Client != "127.0.0.1" || r.Age <= 0 || r.Age > time.Since(begun).Seconds() || r.Waited > r.Age {
			t.Errorf("request %d is %+v, want %s %s", i, r, method, path)
		}
		switch {
		case late && shared && (r.State != control.Given && r.State != control.InQueue || r.Slot != nil || r.PID != 0),
			late && !shared && (r.State != control.InQueue || r.Waited != r.Age || r.Slot != nil),
			!late && (r.Slot == nil || !slices.Contains(workers, r.PID)),
			!late && shared && (r.State != control.Held || r.Seat == nil || r.Waited > 1),
			!late && !shared && r.State != control.Given && r.State != control.Held:
			t.Errorf("request %d is %+v; workers are %v", i, r, workers)
		}
	}
	st := s.status()
	for _, w := range st.Workers {
		i := slices.IndexFunc(all, func(r control.Request) bool { return r.PID == w.PID }) // its oldest
		if w.Busy != 2/len(workers) || w.Request == nil || i < 0 || w.Request.ID != all[i].ID || w.Request.Path != all[i].Path || w.Oldest <= 0 {
			t.Errorf("the status says of worker %d: %+v, %+v", w.PID, w, w.Request)
		}
	}
	for _, out := range []string{s.runs("requests", "--limit", "2"), s.runs("status")} {
		if !strings.Contains(out, fmt.Sprintf("GET \"/%s/%s0/60/ä\"", word, c.name)) && !strings.Contains(out, fmt.Sprintf("GET /%s/%s0/60/ä", word, c.name)) || strings.Contains(out, "secret") {
			t.Errorf("it printed\n%s", out)
		}
	}
	if out := s.runs("requests", "--limit", "2"); !strings.Contains(out, "The oldest 2") || strings.Contains(out, "late") {
		t.Errorf("of two it printed\n%s", out)
	}
	if c.name == "sync" {
		s.askedBesideAStoppedGateway(all[:2])
	}
	s.hangUp()
	s.stop()
}

// askedBesideAStoppedGateway checks that a gateway that does not answer holds nobody up, and
// that what seats hold is told all the same. held are those requests.
func (s *controlled) askedBesideAStoppedGateway(held []control.Request) {
	s.t.Helper()
	gateway := s.the("gateway")
	s.freeze(gateway)
	begun := time.Now()
	all, st := learn[[]control.Request](s, "requests"), s.status()
	if took := time.Since(begun); took > 5*time.Second {
		s.t.Errorf("beside a stopped gateway it took %v", took)
	}
	for _, want := range held {
		i := slices.IndexFunc(all, func(r control.Request) bool { return r.ID == want.ID })
		if len(all) != 2 || i < 0 || all[i].Method != "" || all[i].PID != want.PID || all[i].Age <= 0 {
			s.t.Errorf("beside a stopped gateway there are %+v, want %s", all, want.ID)
		}
	}
	if len(st.Workers) != 2 || st.Workers[0].Busy != 1 || st.Workers[0].Request == nil {
		s.t.Errorf("beside a stopped gateway the workers are %+v", st.Workers)
	}
	s.kill(gateway, syscall.SIGCONT)
	s.until("the gateway tells them again", func() bool { return learn[[]control.Request](s, "requests")[0].Method == "GET" })
}

// A level that is asked for counts for the gateway too, and for one that replaces it; after
// its time the configured one is back.
func TestLogLevelOfTheGateway(t *testing.T) {
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	s := serveControlled(t, launch{app: "plain", args: []string{"--certfile", cert, "--keyfile", key}})
	s.allow("gateway ended")
	const line = "gateway: handshake failed"
	broken := func() {
		conn := s.dial()
		_, _ = conn.Write([]byte("\x16\x03\x01\x00\x05hello")) // a record, and in it no handshake
		_, _ = io.ReadAll(conn)                                // an alert, or a reset
		_ = conn.Close()
	}
	broken()
	s.runs("log-level", "debug")
	if s.stderr.count(line) > 0 {
		t.Errorf("before anybody asked for it, there is %q", line)
	}
	s.until("the gateway tells of it", func() bool { broken(); return s.stderr.count(line) > 0 })
	s.kill(s.the("gateway"), syscall.SIGKILL)
	s.until("the next gateway tells of it", func() bool { return s.stderr.count("gateway: log level changed: to=debug") == 2 })
	s.runs("log-level", "info")
	s.runs("log-level", "debug", "--for", "0.2")
	s.until("its time is over", func() bool { return s.status().LogLevel == "info" })
	s.stop()
}
