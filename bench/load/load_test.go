package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// load runs the command as bench/run does and decodes what it prints.
func load(t *testing.T, result any, args ...string) (before string) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(args, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	lines := strings.SplitAfter(strings.TrimSpace(out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), result); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	return strings.Join(lines[:len(lines)-1], "")
}

func TestSlowRequestsAreMeasuredApart(t *testing.T) {
	t.Parallel()
	const slowness = 50 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-time.After(slowness)
		}
		_, _ = w.Write([]byte("hello"))
	}))
	defer server.Close()
	var got report
	load(t, &got, "http", "-rate", "400", "-seconds", "1", "-slow-every", "20", server.Listener.Addr().String())
	if len(got.Phases) != 1 {
		t.Fatalf("%d phases", len(got.Phases))
	}
	p := got.Phases[0]
	if n := p.Fast.Count + p.Slow.Count; n != 400 || len(p.Errors) > 0 {
		t.Errorf("%d of 400 requests were answered, errors %v", n, p.Errors)
	}
	if p.Slow.Count < 5 || p.Slow.Count > 60 {
		t.Errorf("%d of 400 were slow, about 20 are wanted", p.Slow.Count)
	}
	if p.Slow.P50 < float64(slowness/time.Microsecond) {
		t.Errorf("half of the slow ones took less than %v µs", p.Slow.P50)
	}
}

func TestWaitingForAConnectionCounts(t *testing.T) {
	t.Parallel()
	// One connection, 20 ms for a response, and a request every 5 ms: the last
	// one waits for all those before it.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(20 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	var got report
	load(t, &got, "http", "-rate", "200", "-seconds", "0.2", "-connections", "1", server.Listener.Addr().String())
	if longest, want := got.Phases[0].Fast.Max, 500e3; longest < want {
		t.Errorf("the longest took %v µs, and had to wait for %v", longest, want)
	}
}

func TestSecondPhaseAndItsErrors(t *testing.T) {
	t.Parallel()
	began := time.Now()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if time.Since(began) > 500*time.Millisecond {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	var got report
	before := load(t, &got, "http", "-rate", "50", "-seconds", "1.5", "-calm", "0.2", server.Listener.Addr().String())
	if before != "calm\n" {
		t.Errorf("printed %q between the phases", before)
	}
	if got.Phases[0].Fast.Count != 10 || len(got.Phases[1].Errors) != 1 || got.Phases[1].Errors["status 503"] == 0 {
		t.Errorf("calm %+v, then %+v", got.Phases[0], got.Phases[1])
	}
}

func TestStaleConnectionsAreRetried(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			room := make([]byte, 1024)
			_, _ = conn.Read(room)
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			_, _ = conn.Read(room) // the second request gets no answer
			_ = conn.Close()
		}
	}()
	c := client{plan: &plan{network: "tcp", address: listener.Addr().String(), timeout: 10 * time.Second}}
	defer c.close()
	for n := range 3 {
		if err := c.get("/"); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	if c.retried != 2 {
		t.Errorf("retried %d times, two of three requests met a closed connection", c.retried)
	}
	_ = listener.Close()
	c.close()
	if err := c.get("/"); err == nil || errors.Is(err, errStale) {
		t.Errorf("a refused connection is %v", err)
	}
}

func TestWebSocketEcho(t *testing.T) {
	t.Parallel()
	var messages atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
		frame := make([]byte, 2+4+10)
		for {
			if _, err := in.Read(frame); err != nil {
				return
			}
			for i := range frame[6:] {
				frame[6+i] ^= frame[2+i%4]
			}
			messages.Add(1)
			_, _ = conn.Write(append([]byte{0x81, 10}, frame[6:]...))
		}
	}))
	defer server.Close()
	var got echoes
	load(t, &got, "ws", "-connections", "2", "-seconds", "0.2", "-size", "10", server.Listener.Addr().String())
	if got.Fast.Count == 0 || len(got.Errors) > 0 || int64(got.Fast.Count) != messages.Load() {
		t.Errorf("%d of %d echoes came, errors %v", got.Fast.Count, messages.Load(), got.Errors)
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for n := range 1000 {
		took = append(took, time.Duration(1000-n)*time.Microsecond)
	}
	if got, want := summarize(took), (summary{1000, 500, 990, 999, 1000}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := summarize(nil); got != (summary{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		nil,
		{"udp", "127.0.0.1:1"},
		{"http"},
		{"http", "-rate", "0", "127.0.0.1:1"},
		{"ws", "-size", "126", "127.0.0.1:1"},
		{"http", "one", "two"},
	} {
		var out, errs bytes.Buffer
		if status := run(args, &out, &errs); status != 1 || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("%q: status %d, output %q, errors %q", args, status, out.String(), errs.String())
		}
	}
}
