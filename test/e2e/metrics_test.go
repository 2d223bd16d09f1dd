package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// figures are the metrics of a service, by name and labels as Prometheus writes
// them: `requests_total{protocol="http/1.1",status="2xx"}`, without "indrik_".
type figures map[string]float64

// scrape reads the metrics with Prometheus' own parser.
func (s *service) scrape(t testing.TB) figures {
	t.Helper()
	status, text := s.admin(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("/metrics cannot be read: %v\n%s", err, text)
	}
	all := figures{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			var pairs []string
			for _, l := range m.GetLabel() {
				pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			all.put(strings.TrimPrefix(name, "indrik_"), pairs, m)
		}
	}
	return all
}

func (f figures) put(name string, pairs []string, m *dto.Metric) {
	if len(pairs) > 0 {
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	switch {
	case m.Counter != nil:
		f[name] = m.GetCounter().GetValue()
	case m.Gauge != nil:
		f[name] = m.GetGauge().GetValue()
	case m.Histogram != nil:
		f[name+"_count"] = float64(m.GetHistogram().GetSampleCount())
		f[name+"_sum"] = m.GetHistogram().GetSampleSum()
	}
}

// admin asks the admin listener.
func (s *service) admin(t testing.TB, path string) (status int, text string) {
	t.Helper()
	line := s.stderr.await(t, 1, "indrik.master: admin listening:")
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get("http://" + field(line, "address") + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // read to its end
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// shows waits until a figure is what it must be: what follows an answer is not
// waited for by who got it.
func (s *service) shows(t testing.TB, name string, want float64) {
	t.Helper()
	got := 0.0
	defer func() {
		if t.Failed() {
			t.Logf("%s is %v, want %v", name, got, want)
		}
	}()
	s.until(fmt.Sprintf("%s is %v", name, want), func() bool {
		got = s.scrape(t)[name]
		return got == want
	})
}

const answers = `requests_total{protocol="http/1.1",status="%s"}`

// Every figure is compared with what the test has done, through everything that
// could make a count go back: the death of a worker and of a gateway, reloads that
// keep the gateway, replace it, and fail.
func TestMetricsAreTheTruth(t *testing.T) {
	t.Parallel()
	file, socket := filepath.Join(t.TempDir(), "indrik.toml"), filepath.Join(t.TempDir(), "control")
	configure := func(text string) { t.Helper(); write(t, file, text) }
	configure("queue_size = 500\n")
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--config", file, "--admin-bind", "127.0.0.1:0", "--control-socket", socket, "--limit-request-line", "100"}})
	s.allow("worker ended", "gateway ended", "reload failed", lost)
	sent, received := 0, 0
	exchange := func(request string, status int) {
		t.Helper()
		conn := s.dial()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // every request asks for its end
		_ = conn.Close()
		if err != nil || !strings.HasPrefix(string(answer), fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Fatalf("got %q and %v, want status %d", answer, err, status)
		}
		sent, received = sent+len(request), received+len(answer)
	}
	const fine = "GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for range 20 {
		exchange(fmt.Sprintf(fine, ""), 200)
	}
	exchange(fmt.Sprintf(fine, strings.Repeat("x", 100)), 414)
	exchange("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400)
	exchange("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200)
	for name, want := range map[string]float64{
		fmt.Sprintf(answers, "2xx"): 21, fmt.Sprintf(answers, "4xx"): 2, fmt.Sprintf(answers, "5xx"): 0,
		`refusals_total{reason="large_head"}`: 1, `refusals_total{reason="malformed"}`: 1,
		"connections_accepted_total": 23, "received_bytes_total": float64(sent), "sent_bytes_total": float64(received),
		"request_duration_seconds_count": 21, "queue_wait_seconds_count": 21,
		"connections": 0, "workers_wanted": 2, `workers{phase="idle"}`: 2, "seats": 2, "seats_busy": 0, "ready": 1,
		"alive": 1, "generation": 1, "generations": 1,
	} {
		s.shows(t, name, want)
	}
	s.heldRequests(t)
	before := s.scrape(t)
	s.kill(s.the("gateway"), syscall.SIGKILL)
	s.shows(t, `restarts_total{process="gateway"}`, 1)
	s.grown(t, before)

	for i, toml := range []string{"queue_size = 500\n", "queue_size = 400\n"} { // the same gateway, and another
		before = s.scrape(t)
		configure(toml)
		s.kill(s.pid, syscall.SIGHUP)
		s.shows(t, `reloads_total{result="done"}`, float64(i+1))
		s.shows(t, "generations", 1)
		s.grown(t, before)
	}
	configure("queue_size = \"many\"\n")
	s.kill(s.pid, syscall.SIGHUP)
	s.shows(t, `reloads_total{result="failed"}`, 1)
	s.shows(t, "reload_last_failed", 1)
	s.shows(t, "generation", 3)
	s.wants("/", 200, "hello")
	s.shows(t, fmt.Sprintf(answers, "2xx"), before[fmt.Sprintf(answers, "2xx")]+1)

	s.exports(t, socket, "\nindrik_generation 3\n")
	if status, text := s.admin(t, "/readyz"); status != 200 || text != "ok\n" {
		t.Errorf("/readyz: %d %q", status, text)
	}
	s.stop()
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// exports asks for the metrics on the control socket.
func (s *service) exports(t testing.TB, socket, want string) {
	t.Helper()
	control := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	if status, text := s.read(control.Get("http://indrik/metrics")); status != 200 || !strings.Contains(text, want) {
		t.Errorf("on the control socket: %d %s", status, brief(text))
	}
}

// heldRequests has known requests at work and in the queue, and kills a worker.
func (s *service) heldRequests(t *testing.T) {
	t.Helper()
	before := s.scrape(t)
	var held []*client
	for i := range 4 {
		c := s.client()
		c.send(fmt.Sprintf("GET /hold/held%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", i, 60))
		held = append(held, c)
		if i < 2 {
			s.note(fmt.Sprintf("held%d", i))
		}
	}
	s.shows(t, "seats_busy", 2)
	s.shows(t, "connections", 4)
	s.shows(t, "dispatched_requests", 4) // two wait in the lane, where a seat finds them
	for _, pid := range s.children("worker") {
		s.kill(pid, syscall.SIGKILL)
	}
	s.shows(t, `worker_ends_total{cause="signalled"}`, 2)
	for _, c := range held[:2] {
		if a := c.receive("GET"); a.status != http.StatusBadGateway {
			t.Errorf("the client of a killed worker got %d", a.status)
		}
	}
	s.shows(t, `refusals_total{reason="worker_died"}`, 2)
	s.shows(t, fmt.Sprintf(answers, "5xx"), 2)
	for i := range 2 {
		s.note(fmt.Sprintf("held%d", i+2))
	}
	for _, pid := range s.children("worker") {
		s.kill(pid, syscall.SIGKILL)
	}
	s.shows(t, fmt.Sprintf(answers, "5xx"), 4)
	s.shows(t, `worker_ends_total{cause="signalled"}`, 4)
	s.shows(t, "queue_wait_seconds_count", before["queue_wait_seconds_count"]+4)
	s.hangUp()
	s.shows(t, `workers{phase="idle"}`, 2)
	s.shows(t, "connections", 0)
}

// grown checks that no counter went back.
func (s *service) grown(t *testing.T, before figures) {
	t.Helper()
	now := s.scrape(t)
	for name, value := range before {
		counts := strings.Contains(name, "_total") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_sum")
		if counts && !strings.HasPrefix(name, "worker_") && !strings.HasPrefix(name, "process_") && now[name] < value {
			t.Errorf("%s went back from %v to %v", name, value, now[name])
		}
	}
	if n := before[fmt.Sprintf(answers, "2xx")]; n < 21 {
		t.Errorf("%v requests were counted before", n)
	}
}

// Who sends requests by these answers must not send them too early or too late.
func TestReadinessFromBootToStop(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := files(t, map[string]string{"gated.py": `
import os
open(os.environ["GATE"]).read()
from plain import application
`})
	passed, at := listening(t, "tcp", "127.0.0.1:0")
	s := start(t, launch{app: "gated", dir: dir, sockets: []*os.File{passed}, names: "admin", bind: []string{"127.0.0.1:0"},
		env: []string{"GATE=" + gate}, args: []string{"--pythonpath", world.apps}})
	probe := func(path string, status int, part string) {
		t.Helper()
		if got, text := s.admin(t, path); got != status || !strings.Contains(text, part) {
			t.Errorf("%s: %d %q, want %d and %q", path, got, text, status, part)
		}
	}
	if line := s.stderr.await(t, 1, "admin listening"); field(line, "address") != at {
		t.Errorf("it listens on %s, want the passed socket %s", field(line, "address"), at)
	}
	probe("/livez", 200, "ok")
	probe("/readyz", 503, "booting")
	open, err := os.OpenFile(gate, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = open.Close() // the import goes on
	s.stderr.await(t, 1, "indrik.master: serving:")
	probe("/readyz", 200, "ok")
	s.wants("/", 200, "hello")

	var facts struct {
		Stage   string
		Workers []struct {
			PID   int
			Phase string
		}
	}
	if _, text := s.admin(t, "/status.json"); json.Unmarshal([]byte(text), &facts) != nil || facts.Stage != "serving" ||
		len(facts.Workers) != 1 || facts.Workers[0].PID != s.the("worker") {
		t.Errorf("status.json says %+v of worker %d", facts, s.the("worker"))
	}
	c := s.client()
	c.send("GET /hold/last/1 HTTP/1.1\r\nHost: x\r\n\r\n")
	s.note("last")
	s.kill(s.pid, syscall.SIGTERM)
	s.stderr.await(t, 1, "indrik.master: stopping:")
	probe("/readyz", 503, "draining")
	probe("/livez", 200, "ok")
	if a := c.receive("GET"); a.status != 200 {
		t.Errorf("the last request got %d", a.status)
	}
	s.expect(0)
	if conn, err := net.Dial("tcp", at); err == nil { // ours is open, nobody accepts
		_ = conn.Close()
	}
}
