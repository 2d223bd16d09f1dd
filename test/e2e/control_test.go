package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/control"
)

// controlled is a service with a control socket.
type controlled struct {
	*service
	path   string
	client *control.Client
}

// serveControlled starts one and waits until it serves.
func serveControlled(t testing.TB, l launch) *controlled {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	l.args = append([]string{"--control-socket", path}, l.args...)
	return &controlled{service: serve(t, l), path: path, client: control.NewClient(path)}
}

// learn asks for what is at path.
func learn[T any](c *controlled, path string) (found T) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.client.Get(ctx, path, &found); err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return found
}

func (c *controlled) status() control.Status { c.t.Helper(); return learn[control.Status](c, "status") }

// run runs a command against the service.
func (c *controlled) run(args ...string) (status int, stdout, stderr string) {
	c.t.Helper()
	cmd := exec.Command(world.binary, append([]string{args[0], "--socket", c.path}, args[1:]...)...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

// runs runs a command that must succeed, and returns what it printed.
func (c *controlled) runs(args ...string) string {
	c.t.Helper()
	status, out, said := c.run(args...)
	if status != 0 {
		c.t.Errorf("indrik %s: status %d, %q", strings.Join(args, " "), status, said)
	}
	return out
}

// Every figure of the status is what it says.
func TestStatusTellsTheTruth(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain", args: []string{"-w", "2", "--name", "shop"}})
	s.allow("worker ended")
	first := s.status()
	if first.Gateway.Answered != 0 {
		t.Errorf("%d requests answered before the first", first.Gateway.Answered)
	}
	for range 7 {
		s.wants("/", 200, "hello")
	}
	one := s.hold("held")
	st := s.status()
	s.until("the gateway has written down what it did", func() bool { // it does ten times a second
		st = s.status()
		return st.Gateway.Answered >= first.Gateway.Answered+7 && st.Gateway.Dispatched > 0
	})
	if st.Name != "shop" || st.PID != s.pid || st.Stage != "serving" || st.Generation != 1 || st.Wanted != 2 {
		t.Errorf("the service is %+v", st)
	}
	if got := st.Gateway.Answered - first.Gateway.Answered; got != 7 {
		t.Errorf("%d requests answered, want 7", got)
	}
	if st.Gateway.PID != s.the("gateway") || st.Mold.PID != s.the("mold") || st.Gateway.Dispatched != 1 {
		t.Errorf("gateway %+v and mold %+v", st.Gateway, st.Mold)
	}
	busy := slices.IndexFunc(st.Workers, func(w control.Worker) bool { return w.Busy == 1 })
	if len(st.Workers) != 2 || busy < 0 || st.Workers[busy].Oldest <= 0 || st.Workers[1-busy].Busy != 0 {
		t.Fatalf("workers: %+v", st.Workers)
	}
	for _, w := range st.Workers {
		if !slices.Contains(s.children("worker"), w.PID) {
			t.Errorf("worker %d is none", w.PID)
		}
		if rss := int64(resident(t, w.PID)) << 10; w.Memory <= 0 || w.Memory > 2*rss || w.Own <= 0 || w.Own > w.Memory {
			t.Errorf("worker %d: memory %d, own %d, resident %d", w.PID, w.Memory, w.Own, rss)
		}
	}
	s.wantFigures(st, 7)
	requests := learn[[]control.Request](s, "requests")
	if len(requests) != 1 || requests[0].PID != st.Workers[busy].PID || requests[0].Age <= 0 {
		t.Errorf("requests: %+v", requests)
	}
	if len(st.Listeners) != 1 || st.Listeners[0].Waiting == nil || *st.Listeners[0].Waiting != 0 {
		t.Errorf("listeners: %+v", st.Listeners)
	}
	s.kill(st.Workers[busy].PID, syscall.SIGKILL)
	if got := one.receive("GET"); got.status != 502 {
		t.Errorf("the request of a dead worker was answered %d", got.status)
	}
	s.until("the death is told", func() bool {
		deaths := s.status().Deaths
		return len(deaths) == 1 && deaths[0].PID == st.Workers[busy].PID && strings.Contains(deaths[0].Detail, "SIGKILL")
	})
	s.until("another works in its place", func() bool {
		w := s.status().Workers
		return len(w) == 2 && w[busy].PID != st.Workers[busy].PID && w[busy].Phase == "idle" && w[busy].Restarts == 1
	})
	text := s.runs("status")
	for _, want := range []string{"● shop (indrik ", "State: serving: 2 workers, generation 1", "Last deaths:", "SIGKILL", "RESTARTS"} {
		if !strings.Contains(text, want) {
			t.Errorf("indrik status does not say %q:\n%s", want, text)
		}
	}
	s.stop()
	if _, err := os.Stat(s.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// hold holds a request in a worker.
func (s *controlled) hold(note string) *client {
	s.t.Helper()
	c := s.service.client()
	c.send("GET /hold/" + note + "/60 HTTP/1.1\r\nHost: test\r\n\r\n")
	s.note(note)
	return c
}

// A reload's client learns the outcome: which generation serves, or why it does not.
func TestReloadCommandTellsTheOutcome(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	s := serveControlled(t, w.launch("-w", "2"))
	// Of two workers that cannot load it, one may end before the reload is given up.
	s.allow("Traceback (most recent", "reload failed", "the reload was given up", `cause="load failed"`)
	load := s.load(2, "/")
	w.version("2")
	if out := s.runs("reload"); !strings.Contains(out, "reload 1 done") || !strings.Contains(out, "generation 2 serves") {
		t.Errorf("it printed %q", out)
	}
	s.wants("/version", 200, "2")
	w.put("version.py", "import nothing_of_that_name\n")
	status, _, said := s.run("reload")
	if status != 1 || !strings.Contains(said, "Traceback (most recent call last):") ||
		!strings.Contains(said, `version.py", line 1`) || !strings.Contains(said, "reload 2 failed: load site_app: ") {
		t.Errorf("a broken application: status %d, %s", status, said)
	}
	status, out, _ := s.run("reload", "--json")
	var read control.Reload
	if err := json.Unmarshal([]byte(out), &read); err != nil || status != 1 || read.State != control.Failed || read.ID != 3 {
		t.Errorf("as JSON: status %d, %v, %s", status, err, out)
	}
	if r := s.status().Reload; r == nil || r.ID != 3 || r.State != control.Failed || !strings.Contains(r.Traceback, "nothing_of_that_name") {
		t.Errorf("the status says of it %+v", r)
	}
	s.wants("/version", 200, "2")
	w.put("version.py", "import time\ntime.sleep(1)\nVERSION = '3'\n")
	if out := s.runs("reload", "--wait=false"); !strings.Contains(out, "reload 4 begun") && !strings.Contains(out, "reload 4 waits") {
		t.Errorf("without waiting it printed %q", out)
	}
	s.until("the fourth runs", func() bool { return learn[control.Reload](s, "reload/4").State == control.Running })
	if out := s.runs("reload"); !strings.Contains(out, "reload 5 done") {
		t.Errorf("the one that waited printed %q", out)
	}
	for id, state := range []string{"", control.Done, control.Failed, control.Failed, control.Done, control.Done} {
		if id > 0 {
			if r := learn[control.Reload](s, "reload/"+strconv.Itoa(id)); r.State != state {
				t.Errorf("reload %d is %+v, want %s", id, r, state)
			}
		}
	}
	load.end().atMost(t, nil)
	if status, _, said := s.run("rollback"); status != 1 || !strings.Contains(said, "no generation is kept") {
		t.Errorf("rollback: status %d, %s", status, said)
	}
	s.stop()
	if status, _, said := s.run("reload"); status != 3 {
		t.Errorf("with nobody there: status %d, %s", status, said)
	}
}

// Workers come, go and are replaced under load, and nobody notices.
func TestScaleAndRecycleUnderLoad(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain", args: []string{"-w", "2"}})
	s.allServe(2)
	load, single := s.load(3, "/"), s.loadWith(2, "/", "Connection: close\r\n")
	if out := s.runs("scale", "+2"); !strings.Contains(out, "workers: 4, before 2") {
		t.Errorf("scale +2 printed %q", out)
	}
	s.allServe(4)
	s.runs("scale", "-1")
	s.until("three workers", func() bool { return len(s.children("worker")) == 3 })
	if status, _, said := s.run("scale", "5000"); status != 1 || !strings.Contains(said, "can have from ") {
		t.Errorf("scale 5000: status %d, %s", status, said)
	}
	before := s.children("worker")
	s.runs("recycle", "all")
	s.until("all are replaced", func() bool {
		if st := s.status(); st.Stage != "serving" || ready(st) < 3 {
			t.Errorf("%d workers are ready while they are recycled, want 3 or 4", ready(st))
		}
		now := s.children("worker")
		return len(now) == 3 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
	})
	load.flows()
	load.end().atMost(t, nil)
	single.end().atMost(t, nil)
	s.stop()
}

// ready counts the workers that take requests.
func ready(st control.Status) (n int) {
	for _, w := range st.Workers {
		if w.Phase == "idle" || w.Phase == "busy" {
			n++
		}
	}
	return n
}

// A stuck worker shows the line it is stuck in, and is not disturbed by it.
func TestStacksOfAStuckWorker(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain", args: []string{"-w", "2"}})
	s.allServe(2)
	held := s.service.client()
	held.send("GET /hold/held/2 HTTP/1.1\r\nHost: test\r\n\r\n")
	s.note("held")
	text := s.runs("stacks")
	if strings.Count(text, "=== slot ") != 2 || strings.Count(text, "in application\n") != 1 || !strings.Contains(text, "plain.py\", line ") {
		t.Errorf("the stacks are\n%s", text)
	}
	held.wants("GET", 200, "held")
	worker := s.status().Workers[1]
	s.kill(worker.PID, syscall.SIGSTOP)
	if text := s.runs("stacks", "--slot", "1"); !strings.Contains(text, "it is stopped (SIGSTOP)") || strings.Contains(text, "slot 0") {
		t.Errorf("of a stopped worker:\n%s", text)
	}
	s.kill(worker.PID, syscall.SIGCONT)
	if text := s.runs("stacks", "--slot", "1"); !strings.Contains(text, "sync.py") {
		t.Errorf("after it:\n%s", text)
	}
	s.stop()
}

// Who may ask, and what is said to those who ask for nonsense.
func TestControlSocketRefuses(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain", args: []string{"--control-socket-mode", "0666"}})
	info, err := os.Stat(s.path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v1/nothing", "", "docs/control.md"},
		{"DELETE", "/v1/status", "", "405|nothing is at"},
		{"POST", "/v1/scale", `{}`, "say how many"},
		{"POST", "/v1/scale", `{"workers": "many"}`, "write a number like 4"},
		{"POST", "/v1/scale", `{"workers": 2} {}`, "more than one JSON"},
		{"POST", "/v1/scale", `{"worker": 2}`, `unknown field \"worker\"`},
		{"POST", "/v1/recycle", `{"slot": 5}`, "no worker is in slot 5"},
		{"POST", "/v1/log-level", `{"level": "loud"}`, "there are trace, debug"},
		{"GET", "/v1/reload/9", "", "no reload 9 is known"},
		{"GET", "/v1/stacks?slot=x", "", "whole number"},
		{"POST", "/v1/scale", strings.Repeat(" ", control.MaxBody) + "{}", "more than 65536 bytes"},
	} {
		out, _ := exec.Command("curl", "-s", "--unix-socket", s.path, "-X", c.method, "-d", c.body, "http://indrik"+c.path).Output()
		if !slices.ContainsFunc(strings.Split(c.want, "|"), func(want string) bool { return strings.Contains(string(out), want) }) {
			t.Errorf("%s %s %.40s: got %s, want %q", c.method, c.path, c.body, out, c.want)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chmod(filepath.Dir(s.path), 0o755); err != nil {
			t.Fatal(err)
		}
		for dir := filepath.Dir(s.path); dir != "/"; dir = filepath.Dir(dir) {
			_ = os.Chmod(dir, 0o755) // the test's own, but for /tmp, which is open anyhow
			if filepath.Dir(dir) == os.TempDir() {
				break
			}
		}
		out, _ := exec.Command("setpriv", "--reuid=65534", "--clear-groups", "curl", "-s", "--unix-socket", s.path, "http://indrik/v1/status").CombinedOutput()
		if !strings.Contains(string(out), "user 65534 may not control this service") {
			t.Errorf("another user got %s", out)
		}
	}
	second := start(t, launch{app: "plain", args: []string{"--control-socket", s.path}})
	second.allow("indrik: open the control socket")
	second.expect(1)
	second.stderr.await(t, 1, "address already in use", "process "+strconv.Itoa(s.pid)+" listens there")
	s.runs("log-level", "debug", "--for", "60")
	if level := s.status().LogLevel; level != "debug" {
		t.Errorf("the log level is %q", level)
	}
	s.stop()
}

// A client that says nothing more, or does not read, holds nobody up.
func TestStuckControlClients(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain"})
	var conns []net.Conn
	for range control.MaxConnections / 2 {
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		if _, err := conn.Write([]byte("GET /v1/status HTTP/1.1\r\nHost: i")); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	s.status()
	if took := time.Since(begun); took > 10*time.Second { // 5 s is their time to say it
		t.Errorf("beside stuck clients it took %v", took)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	s.stop()
}

// What waits is counted where it waits: connections in the kernel's queues, requests in
// the gateway. With many workers under load the status is told at once all the same.
func TestQueuesAndManyWorkers(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "web")
	s := serveControlled(t, launch{app: "plain", args: []string{"-w", "1"}, bind: []string{"127.0.0.1:0", "unix:" + socket}})
	gateway := s.the("gateway")
	s.freeze(gateway)
	for n, count := range []int{3, 2} {
		for range count {
			s.dialTo(n)
		}
	}
	s.until("the accept queues are told", func() bool {
		l := s.status().Listeners
		return len(l) == 2 && l[0].Waiting != nil && *l[0].Waiting == 3 && l[1].Waiting != nil && *l[1].Waiting == 2
	})
	s.kill(gateway, syscall.SIGCONT)
	held := s.hold("held")
	for range 4 {
		s.service.client().send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	}
	s.until("the queue is told", func() bool { // one more than the worker holds may lie in its lane
		g := s.status().Gateway
		return g.Queued+g.Dispatched == 5 && g.Queued >= 3 && g.Oldest > 0
	})
	_ = held.conn.Close()
	s.hangUp()
	s.runs("recycle", "all")
	s.runs("scale", "60")
	s.allow("graceful timeout", "worker ended", "request failed")
	s.until("sixty workers", func() bool { return ready(s.status()) >= 59 })
	load := s.load(8, "/")
	best := time.Hour
	for range 10 {
		begun := time.Now()
		st := s.status()
		best = min(best, time.Since(begun))
		if len(st.Workers) < 60 {
			t.Errorf("%d workers", len(st.Workers))
		}
	}
	t.Logf("sixty workers under load: %v", best)
	if best > time.Second {
		t.Errorf("the status of sixty workers took %v at best", best)
	}
	load.end()
	s.kill(s.pid, syscall.SIGQUIT)
	s.expect(0)
}
