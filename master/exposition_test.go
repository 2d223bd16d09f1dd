package master

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// interpreter writes a program that stands for Python, which gets its arguments.
func interpreter(t *testing.T, script string) exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return exec.Cmd{Path: path, Args: []string{path, "-c", "", "", ""}, Env: os.Environ(), Dir: t.TempDir()}
}

// However the look at the application's metrics goes wrong, it is over in time and says why.
func TestExpositionsThatGoWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, text, err string }{
		{"whole", `echo "a 1"; echo "# all of it"`, "a 1\n", ""},
		{"whole, with status 1", `echo "# all of it"; exit 1`, "", ""},
		{"cut short", `echo "a 1"`, "", "before it had said all"},
		{"dies", `kill -9 $$`, "", "signal: killed"},
		{"hangs", `echo "a 1"; sleep 60`, "", "longer than"},
		{"hangs in a child that has its output", `sleep 60 & sleep 60`, "", "longer than"},
		{"says too much", `yes`, "", "more than 8 MiB"},
		{"says why", `echo Traceback >&2; echo "ValueError: no" >&2; exit 1`, "", "ValueError: no"},
		{"has no prometheus_client", `exec python3 -S -E "$@"`, "", "install prometheus_client"},
		{"is not there", "", "", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			command := interpreter(t, c.script)
			if c.script == "" {
				command.Path += "-nowhere"
			}
			limit := 30 * time.Second
			if strings.HasPrefix(c.name, "hangs") {
				limit = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			text, err := expose(ctx, command)
			if string(text) != c.text || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %.100q, %v; want %q, %q", text, err, c.text, c.err)
			}
		})
	}
}

// Those who ask at the same time get the same answer, and the log hears of a failure once.
func TestExpositionsAreKeptForAMoment(t *testing.T) {
	t.Parallel()
	count := filepath.Join(t.TempDir(), "count")
	command := interpreter(t, "echo x >> "+count+"; echo broken >&2")
	var said strings.Builder
	log := hclog.New(&hclog.LoggerOptions{Output: &said})
	var e exposition
	for range 5 {
		if _, err := e.collect(t.Context(), command, log); err == nil {
			t.Error("there is no error")
		}
	}
	e.at = time.Time{}
	_, _ = e.collect(t.Context(), command, log)
	text, err := os.ReadFile(count)
	if err != nil || len(text) != 2*len("x\n") || strings.Count(said.String(), "broken") != 1 {
		t.Errorf("it was run %d times (%v), the log says\n%s", len(text)/2, err, said.String())
	}
}

// Of a dead worker only that goes which tells of living ones.
func TestFilesOfADeadWorker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"gauge_liveall_7.db", "gauge_livesum_7.db", "gauge_liveall_17.db", "gauge_all_7.db", "counter_7.db", "histogram_7.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removeLive(dir, 7)
	removeLive(filepath.Join(dir, "nowhere"), 7)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"counter_7.db", "gauge_all_7.db", "gauge_liveall_17.db", "histogram_7.db"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
