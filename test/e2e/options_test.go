package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestChdirAndPythonpath(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()

	s := serve(t, launch{app: "plain", dir: elsewhere, args: []string{"--chdir", world.apps}})
	s.wants("/cwd", 200, world.apps)
	s.stop()

	s = serve(t, launch{app: "plain", dir: elsewhere, args: []string{"--pythonpath", "/nonexistent," + world.apps}})
	s.wants("/cwd", 200, elsewhere)
	s.stop()

	// A relative directory is meant from where indrik was started.
	s = serve(t, launch{app: "plain", dir: filepath.Dir(world.apps), args: []string{"--chdir", "apps"}})
	s.wants("/cwd", 200, world.apps)
	s.stop()
}

func TestTheApplicationsEnvironment(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{
		app:  "plain",
		args: []string{"-e", "E2E_A=one", "--env", "E2E_B=two=2", "-e", "E2E_C=new"},
		env:  []string{"E2E_C=old", "E2E_D=kept", "NOTIFY_SOCKET=", "FOO_FDS=1"},
	})
	for name, value := range map[string]string{
		"E2E_A": "one", "E2E_B": "two=2", "E2E_C": "new", "E2E_D": "kept", "INDRIK_SLOT": "0", "INDRIK_GENERATION": "1",
		"LISTEN_FDS": "none", "LISTEN_PID": "none", "NOTIFY_SOCKET": "none",
	} {
		s.wants("/env/"+name, 200, value)
	}
	s.stop()
}

// A version manager's python3 and a virtual environment's are scripts and
// links; the one that was named must run.
func TestThePythonIsTheOneNamed(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "mypython")
	script := fmt.Sprintf("#!/bin/sh\nE2E_PYTHON=mine exec %s \"$@\"\n", world.python)
	if err := os.WriteFile(link, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := serve(t, launch{app: "plain", args: []string{"--python", link}})
	s.wants("/env/E2E_PYTHON", 200, "mine")
	s.stop()

	s = refused(t, launch{app: "plain", args: []string{"--python", "/nonexistent/python"}}, 1)
	s.stderr.await(t, 1, "indrik: ", "/nonexistent/python")
}

func TestTheWorkersAreAsManyAsWanted(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--workers", "3"}})
	s.until("3 workers", func() bool { return len(s.children("worker")) == 3 })
	s.wants("/environ/wsgi.multiprocess", 200, "True")
	s.stop()

	s = serve(t, launch{app: "plain", env: []string{"WEB_CONCURRENCY=2"}})
	s.until("2 workers", func() bool { return len(s.children("worker")) == 2 })
	s.stop()
}

// The name is shown by setproctitle where the user has it; without it the
// kernel's 15 characters tell the role.
func TestTheNameIsAccepted(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"-n", "shop"}})
	if s.the("mold") == 0 || s.the("worker") == 0 || s.the("gateway") == 0 {
		t.Error("a role is missing")
	}
	s.stop()
}

func TestThePIDFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "indrik.pid")
	written := func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, gone.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}

	s := serve(t, launch{app: "plain", args: []string{"-p", path}})
	if got, want := written(), strconv.Itoa(s.pid)+"\n"; got != want {
		t.Errorf("pid file: got %q, want %q", got, want)
	}
	second := refused(t, launch{app: "plain", args: []string{"--pid", path}}, 1)
	second.stderr.await(t, 1, "indrik: ", path, strconv.Itoa(s.pid))
	if got, want := written(), strconv.Itoa(s.pid)+"\n"; got != want {
		t.Errorf("pid file after a second start: got %q, want %q", got, want)
	}
	s.stop()
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
		t.Errorf("left beside the pid file: %v, %v", left, err)
	}
}

func TestSeveralBinds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	bind := []string{"127.0.0.1:0", "unix:" + path, "127.0.0.1:0"}
	if probe, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = probe.Close() // it has only shown that there is IPv6
		bind = append(bind, "[::1]:0")
	}
	s := serve(t, launch{app: "plain", bind: bind})
	for n := range bind {
		c := speak(t, s.dialTo(n))
		c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "hello")
	}
	s.stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file was left: %v", err)
	}
}

func TestTheAccessLog(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--access-logfile", "-"}})
	c := s.client()
	c.ask("GET /a%20b?q=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: e\"2e\r\nReferer: http://r/\r\n\r\n", "GET", 200, "hello")
	c.ask("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD", 200, "")
	s.stop()
	lines := s.stdout.end(t)
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2: %q", len(lines), lines)
	}
	when := `\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`
	for i, want := range []string{
		`^127\.0\.0\.1 - - ` + when + ` "GET /a%20b\?q=1 HTTP/1\.1" 200 5 "http://r/" "e\\"2e"$`,
		`^127\.0\.0\.1 - - ` + when + ` "HEAD /h HTTP/1\.1" 200 \d+ "-" "-"$`,
	} {
		if !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d: got %s, want a match of %s", i+1, lines[i], want)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"--version", "-v"} {
		out, err := output(world.apps, world.binary, option)
		if err != nil || !regexp.MustCompile(`^indrik \S+\n$`).MatchString(out) {
			t.Errorf("%s: got %q, %v", option, out, err)
		}
	}
	for _, option := range []string{"--help", "-h"} {
		out, err := output(world.apps, world.binary, option)
		if err != nil || !strings.HasPrefix(out, "Usage: indrik [OPTIONS] MODULE[:APP]\n") {
			t.Errorf("%s: got %q, %v", option, brief(out), err)
		}
		for _, word := range []string{"--bind", "--workers", "--worker-class", "--chdir", "--pythonpath", "--env", "--timeout",
			"--graceful-timeout", "--log-level", "--access-logfile", "--pid", "--name", "--python"} {
			if !strings.Contains(out, word) {
				t.Errorf("%s does not tell of %s", option, word)
			}
		}
	}
}

func TestTheLogLevel(t *testing.T) {
	t.Parallel()
	s := start(t, launch{app: "plain", bind: []string{"unix:" + filepath.Join(t.TempDir(), "s")}, args: []string{"--log-level", "warning"}})
	s.until("a worker", func() bool { return len(s.children("worker")) == 1 })
	s.kill(s.pid, 15)
	s.expect(0)
	if lines := s.stderr.end(t); len(lines) > 0 {
		t.Errorf("at level warning a calm life is told: %q", lines)
	}
}
