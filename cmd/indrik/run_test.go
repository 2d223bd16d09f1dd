package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/settings"
)

var update = flag.Bool("update", false, "rewrite testdata")

// trial is a process made of fakes, and what became of it.
type trial struct {
	process
	t      *testing.T
	master master.Config   // what the master was called with
	gate   gateway.Process // what the gateway was called with
	roles  []string        // which roles were called
}

// newTrial makes a process in whose PATH there is one python3, and whose roles
// end at once without an error.
func newTrial(t *testing.T, args ...string) *trial {
	t.Helper()
	tr := &trial{t: t}
	bin := t.TempDir()
	writeProgram(t, filepath.Join(bin, "python3"), 0o755)
	tr.process = process{
		args:       append([]string{"indrik"}, args...),
		env:        []string{"PATH=" + bin},
		pid:        4121,
		executable: "/usr/bin/indrik",
		stdout:     tempFile(t),
		stderr:     tempFile(t),
		master: func(_ context.Context, c master.Config) error {
			tr.master, tr.roles = c, append(tr.roles, "master")
			return nil
		},
		gateway: func(_ context.Context, p gateway.Process) error {
			tr.gate, tr.roles = p, append(tr.roles, "gateway")
			return nil
		},
	}
	return tr
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "stream")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func writeProgram(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
		t.Fatal(err)
	}
}

func (tr *trial) run() (status int, stdout, stderr string) {
	tr.t.Helper()
	status = run(tr.t.Context(), tr.process)
	return status, tr.said(tr.stdout), tr.said(tr.stderr)
}

func (tr *trial) said(f *os.File) string {
	tr.t.Helper()
	text, err := os.ReadFile(f.Name())
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(text)
}

func TestHelp(t *testing.T) {
	golden := filepath.Join("testdata", "help.txt")
	for _, args := range [][]string{{"--help"}, {"-h"}, {"-w", "2", "-h", "app"}} {
		tr := newTrial(t, args...)
		status, stdout, stderr := tr.run()
		if *update {
			if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if status != exitOK || stderr != "" || len(tr.roles) > 0 {
			t.Errorf("%q: status %d, stderr %q, roles %v", args, status, stderr, tr.roles)
		}
		if stdout != string(want) {
			t.Errorf("%q: help is not %s; look at it, then run: go test ./cmd/indrik -update\n%s", args, golden, stdout)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > usageWidth+1 {
				t.Errorf("%q: line is longer than %d: %q", args, usageWidth, line)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"--version", "-v"} {
		status, stdout, stderr := newTrial(t, arg).run()
		if want := "indrik " + version + "\n"; status != exitOK || stdout != want || stderr != "" {
			t.Errorf("%s: got status %d, stdout %q, stderr %q, want 0 and %q", arg, status, stdout, stderr, want)
		}
	}
}

// Each of these is a slip of the fingers: the answer must be one line that says
// what to type instead, and no role may have started.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "no application given; name it as MODULE:APP, like indrik hello:app"},
		{"-w 2", "no application given; name it as MODULE:APP, like indrik hello:app"},
		{"--wrokers 4 app", "unknown option --wrokers; did you mean --workers?"},
		{"--wrokers=4 app", "unknown option --wrokers; did you mean --workers?"},
		{"app --worker_class sync", "unknown option --worker_class; did you mean --worker-class?"},
		{"--BIND :80 app", "unknown option --BIND; did you mean --bind?"},
		{"--graceful 3 app", "unknown option --graceful; did you mean --graceful-timeout?"},
		{"--hlep", "unknown option --hlep; did you mean --help?"},
		{"--verison", "unknown option --verison; did you mean --version?"},
		{"--grafting a.ini app", "unknown option --grafting; see indrik --help"},
		{"--certificate-authority x app", "unknown option --certificate-authority; see indrik --help"},
		{"-W 4 app", "unknown option -W; did you mean -w (--workers)?"},
		{"-x app", "unknown option -x; see indrik --help"},
		{"-log-level debug app", "unknown option -l in -log-level; did you mean --log-level?"},
		{"---workers 4", "---workers is no option; see indrik --help"},
		{"app --workers", "option --workers needs a value; write it like --workers N"},
		{"app -b", "option --bind needs a value; write it like --bind ADDRESS"},
		{"--help=please app", `option --help takes no value, got "please"; leave it out`},
		{"app other", "one application can be served, got app other; give one as MODULE:APP, options apart"},
		{":app", `application ":app" names no module; name it as MODULE:APP, like indrik hello:app`},
		{"-w lots app", `setting workers: --workers is "lots": not a whole number; give a number from 1 to 1024, or auto`},
		{"-t soon app", `setting timeout: --timeout is "soon": not a length of time; give seconds from 0 to 1000000000, or units like 1m30s`},
		{"--env DEBUG app", `setting raw_env: --env is "DEBUG": not NAME=VALUE; write it like DEBUG=1`},
		{"-k gevnt app", `setting worker_class: --worker-class is "gevnt": not known; use one of auto, sync, gthread, gevent, eventlet, asgi`},
	} {
		tr := newTrial(t, strings.Fields(c.args)...)
		status, stdout, stderr := tr.run()
		if status != exitUsage || stdout != "" || len(tr.roles) > 0 {
			t.Errorf("%q: got status %d, stdout %q, roles %v", c.args, status, stdout, tr.roles)
		}
		if want := "indrik: " + c.want + "\n"; stderr != want {
			t.Errorf("%q:\n got %s want %s", c.args, stderr, want)
		}
	}
}

func TestMasterIsToldEverything(t *testing.T) {
	tr := newTrial(t, "-b", ":1", "--bind=:2", "-e", "A=1", "-eB=2", "hello:make('x')", "-w", "3", "--log-level", "debug")
	if status, _, stderr := tr.run(); status != exitOK || stderr != "" {
		t.Fatalf("got status %d, stderr %q", status, stderr)
	}
	c := tr.master
	if !slices.Equal(tr.roles, []string{"master"}) || c.App != "hello:make('x')" || c.PID != tr.pid ||
		c.Executable != tr.executable || c.Version != version || c.Stdout != tr.stdout || c.Stderr != tr.stderr ||
		!slices.Equal(c.Args, tr.args) || !slices.Equal(c.Env, tr.env) || c.Signals == nil || !c.Log.IsDebug() {
		t.Errorf("got roles %v, config %+v", tr.roles, c)
	}
	s := c.Settings
	if !slices.Equal(s.Bind(), []string{":1", ":2"}) || !slices.Equal(s.RawEnv(), []string{"A=1", "B=2"}) || s.Workers() != 3 {
		t.Errorf("got bind %v, env %v, workers %d", s.Bind(), s.RawEnv(), s.Workers())
	}
}

// A flag wins over the environment, and that over the default.
func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		args, env string
		workers   int
		bind      string
	}{
		{"app", "", 1, "127.0.0.1:8000"},
		{"app", "WEB_CONCURRENCY=5 PORT=9000", 5, "0.0.0.0:9000"},
		{"-w 2 -b :81 app", "WEB_CONCURRENCY=5 PORT=9000", 2, ":81"},
		{"-w 2 -b :81 app", "WEB_CONCURRENCY=many PORT=web", 2, ":81"},
		{"-w 2 -w 3 app", "PORT=1 PORT=2", 3, "0.0.0.0:1"},
	} {
		tr := newTrial(t, strings.Fields(c.args)...)
		tr.env = append(tr.env, strings.Fields(c.env)...)
		if status, _, stderr := tr.run(); status != exitOK {
			t.Errorf("%q with %q: status %d: %s", c.args, c.env, status, stderr)
			continue
		}
		s := tr.master.Settings
		if s.Workers() != c.workers || !slices.Equal(s.Bind(), []string{c.bind}) {
			t.Errorf("%q with %q: got %d workers on %v, want %d on %s", c.args, c.env, s.Workers(), s.Bind(), c.workers, c.bind)
		}
	}
}

// A bad variable is wrong configuration, not wrong usage.
func TestBadEnvironment(t *testing.T) {
	tr := newTrial(t, "app")
	tr.env = append(tr.env, "WEB_CONCURRENCY=many")
	status, _, stderr := tr.run()
	want := `indrik: setting workers: WEB_CONCURRENCY is "many": not a whole number; give a number from 1 to 1024, or auto` + "\n"
	if status != exitConfig || stderr != want || len(tr.roles) > 0 {
		t.Errorf("got status %d, roles %v, stderr %q, want 1 and %q", status, tr.roles, stderr, want)
	}
}

// Scripts and units tell by these numbers whether to try again.
func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("listen on :80: permission denied"), 1},
		{fmt.Errorf("boot: %w", master.ErrBoot), 3},
		{fmt.Errorf("load hello:app: %w", master.ErrLoad), 4},
		{&settings.ValueError{Source: settings.Environment, Err: errors.New("bad")}, 1},
		{fmt.Errorf("x: %w", &settings.ValueError{Source: settings.CommandLine, Err: errors.New("bad")}), 2},
		{&settings.UnknownError{Name: "x"}, 1},
		{context.Canceled, 1},
	} {
		tr := newTrial(t, "app")
		tr.process.master = func(context.Context, master.Config) error { return c.err }
		status, stdout, stderr := tr.run()
		want := ""
		if c.err != nil {
			want = "indrik: " + c.err.Error() + "\n"
		}
		if status != c.want || stdout != "" || stderr != want {
			t.Errorf("%v: got status %d, stdout %q, stderr %q, want %d", c.err, status, stdout, stderr, c.want)
		}
	}
}

func TestSignalsReachTheMaster(t *testing.T) {
	tr := newTrial(t, "app")
	var got []os.Signal
	want := []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR2}
	tr.process.master = func(_ context.Context, c master.Config) error {
		limit := time.After(10 * time.Second)
		for _, s := range want {
			if err := syscall.Kill(os.Getpid(), s.(syscall.Signal)); err != nil {
				return err
			}
			select {
			case s := <-c.Signals:
				got = append(got, s)
			case <-limit:
				return fmt.Errorf("%v did not arrive", s)
			}
		}
		return nil
	}
	if status, _, stderr := tr.run(); status != exitOK || !slices.Equal(got, want) {
		t.Errorf("got status %d, signals %v, stderr %q, want %v", status, got, stderr, want)
	}
}

// The complaint must be an error in the journal too, in every line of it.
func TestComplaintInTheJournal(t *testing.T) {
	tr := newTrial(t, "app")
	tr.env = append(tr.env, "JOURNAL_STREAM="+streamOf(t, tr.stderr))
	tr.process.master = func(context.Context, master.Config) error { return errors.New("one\ntwo") }
	if _, _, stderr := tr.run(); stderr != "<3>indrik: one\n<3>two\n" {
		t.Errorf("got %q", stderr)
	}
}
