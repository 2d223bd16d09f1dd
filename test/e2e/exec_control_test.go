package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/indrik/indrik/control"
)

// serveControlledPrograms starts programs with a control socket.
func serveControlledPrograms(t testing.TB, words string, options ...string) *controlled {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	s := serve(t, programs(t, words, append([]string{"--control-socket", path, "--log-level", "debug"}, options...)...))
	return &controlled{service: s, path: path, client: control.NewClient(path)}
}

// The commands mean the same for programs as for Python, as far as they mean anything;
// what is not known is not there, and no client notices any of it.
func TestExecObeysTheControlSocket(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken")
	s := serveControlledPrograms(t, "fails="+broken, "-w", "2", "--name", "shop", "--admin-bind", "127.0.0.1:0")
	s.allow("worker ended", "reload failed")
	s.ready(2)
	s.tellsProbes()
	s.ready(3)
	l := s.loadWith(2, "/", oneShot)
	l.flows()

	s.tellsOfPrograms(broken)

	if got := s.runs("scale", "+1"); got != "workers: 3, before 2\n" {
		t.Errorf("scale +1: %q", got)
	}
	s.ready(4)
	if status, _, said := s.run("scale", "0"); status != 1 || !strings.Contains(said, "from 1 to") {
		t.Errorf("scale 0: %d, %q", status, said)
	}
	recycled := s.status().Workers[0]
	s.runs("recycle", "0")
	s.stderr.await(t, 1, "worker ended", "cause=asked", fmt.Sprintf("pid=%d", recycled.PID), `reason="control socket"`)
	s.runs("log-level", "info", "--for", "1000")
	if level := s.status().LogLevel; level != "info" {
		t.Errorf("log level %q", level)
	}

	s.reloadsPrograms(broken)
	l.end().atMost(t, nil)
	s.stop()
	if _, err := os.Stat(s.path); err == nil {
		t.Error("the socket's file is left")
	}
}

// tellsOfPrograms asks everything of two programs that fail if a file is there.
func (s *controlled) tellsOfPrograms(broken string) {
	t := s.t
	t.Helper()
	s.get("/say?busy%20%1b[2J")
	s.until("the memory of both is known", func() bool {
		return !slices.ContainsFunc(s.status().Workers, func(w control.Worker) bool { return w.Memory == 0 || w.Own == 0 })
	})
	st := s.status()
	if st.Name != "shop" || st.PID != s.pid || st.Stage != "serving" || st.Wanted != 2 || len(st.Program) < 2 || len(st.Listeners) != 1 {
		t.Errorf("the service is %+v", st)
	}
	if len(st.Workers) != 2 {
		t.Fatalf("workers: %+v", st.Workers)
	}
	for _, w := range st.Workers {
		if !slices.Contains(s.programsRunning(), w.PID) || w.Phase != "idle" || w.Memory <= 0 || w.Own <= 0 || w.For <= 0 {
			t.Errorf("worker %+v", w)
		}
	}
	var raw map[string]json.RawMessage
	if raw = learn[map[string]json.RawMessage](s, "status"); raw["gateway"] != nil || raw["mold"] != nil || raw["totals"] != nil || strings.Contains(string(raw["workers"]), "answered") {
		t.Errorf("figures that nobody knows: %s", raw)
	}
	text := s.runs("status")
	for _, want := range []string{"Program: ", "fails=" + broken, "Workers: 2 wanted, generation 1", "SAYS"} {
		if !strings.Contains(text, want) || strings.Contains(text, "Gateway") || strings.Contains(text, "\x1b") {
			t.Errorf("indrik status without %q:\n%q", want, text)
		}
	}
	if top := s.runs("top", "--once", "--interval", "200ms"); !strings.Contains(top, "SLOT") || strings.Contains(top, "Requests") {
		t.Errorf("indrik top: %q", top)
	}
	for _, verb := range []string{"requests", "stacks", "rollback"} {
		if status, _, said := s.run(verb); status != 1 || !strings.Contains(said, "indrik: ") || len(said) < 60 {
			t.Errorf("indrik %s: status %d, %q", verb, status, said)
		}
	}
}

// reloadsPrograms exchanges three programs, and then breaks them.
func (s *controlled) reloadsPrograms(broken string) {
	t := s.t
	t.Helper()
	old := s.running(3)
	if got := s.runs("reload"); !strings.Contains(got, "generation 2 serves") {
		t.Errorf("reload: %q", got)
	}
	s.shows(t, `reloads_total{result="done"}`, 1)
	if level := s.status().LogLevel; level != "debug" {
		t.Errorf("after a reload the log level is %q, want that of the configuration", level)
	}
	s.until("the old ones are gone", func() bool {
		return !slices.ContainsFunc(s.programsRunning(), func(pid int) bool { return slices.Contains(old, pid) })
	})
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, said := s.run("reload"); status != 1 || !strings.Contains(said, "ended with status 7") {
		t.Errorf("a reload that fails: status %d, %q", status, said)
	}
	s.shows(t, "reload_last_failed", 1)
	if r := s.status().Reload; r == nil || r.State != control.Failed || r.Generation != 2 {
		t.Errorf("the last reload is %+v", r)
	}
	var events []string
	for _, e := range learn[[]control.Event](s, "events") {
		events = append(events, e.What)
	}
	for _, want := range []string{"serving", "workers scaled", "recycling", "reload begun", "reload done", "reload failed", "worker left", "worker died"} {
		if !slices.Contains(events, want) {
			t.Errorf("events %q without %q", events, want)
		}
	}
}

// One that has become too large is replaced, the next first; at the end the service goes on
// serving for a while, says so, and then stops.
func TestExecReplacesTheLarge(t *testing.T) {
	t.Parallel()
	s := serveControlledPrograms(t, "", "--max-worker-memory", "400MB", "--worker-memory-interval", "1", "--shutdown-delay", "1", "--admin-bind", "127.0.0.1:0")
	s.ready(1)
	first := s.running(1)[0]
	l := s.loadWith(2, "/", oneShot)
	s.get("/grow?500")
	s.stderr.await(t, 1, "worker ended", "cause=asked", fmt.Sprintf("pid=%d", first), "reason=max_worker_memory")
	l.flows()

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.client.Post(ctx, "stop", struct{}{}, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	if st := s.status(); st.Stage != "serving" || !strings.Contains(st.Text, "stops 1s after control socket") {
		t.Errorf("asked to stop: %s, %q", st.Stage, st.Text)
	}
	if status, text := s.admin(t, "/readyz"); status != 503 || !strings.Contains(text, "stops 1s after") {
		t.Errorf("asked to stop, it is ready: %d %q", status, text)
	}
	if err := s.client.Post(ctx, "reload", struct{}{}, &control.Reload{}); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a reload now: %v, want a refusal with %d", err, http.StatusConflict)
	}
	l.flows()
	l.end().atMost(t, nil)
	s.expect(0)
}
