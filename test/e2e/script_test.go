package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trace is the lines that the hooks of testdata/config/hooks.py left.
type trace struct {
	t    testing.TB
	path string
}

// of returns the lines of one hook, as words without its name.
func (tr trace) of(hook string) (lines [][]string) {
	tr.t.Helper()
	text, err := os.ReadFile(tr.path)
	if err != nil && !os.IsNotExist(err) {
		tr.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == hook {
			lines = append(lines, words[1:])
		}
	}
	return lines
}

// await waits until a hook has been called n times.
func (tr trace) await(hook string, n int) [][]string {
	tr.t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // a file has no event to wait for
		if lines := tr.of(hook); len(lines) >= n {
			return lines
		}
		if time.Now().After(limit) {
			tr.t.Fatalf("%s was called %d times, want %d", hook, len(tr.of(hook)), n)
		}
	}
}

// A gunicorn.conf.py must find every hook called where Gunicorn calls it, with
// objects that have what it looks at.
func TestHooks(t *testing.T) {
	t.Parallel()
	tr := trace{t, filepath.Join(t.TempDir(), "trace")}
	script := filepath.Join(world.root, "test/e2e/testdata/config/hooks.py")
	s := serve(t, launch{args: []string{"-c", script}, env: []string{"E2E_TRACE=" + tr.path}})
	s.allow("logged by a hook")
	mold := tr.await("on_starting", 1)[0]
	if want := []string{strconv.Itoa(s.pid), "2", "7.5", "['FROM_SCRIPT=yes']"}; !slices.Equal(mold[1:], want) {
		t.Errorf("on_starting: got %q, want %q", mold[1:], want)
	}
	s.stderr.await(t, 1, "[WARNING] logged by a hook")
	tr.await("when_ready", 1)
	tr.await("post_worker_init", 2)

	c := s.client()
	c.ask("GET /cwd?q=1 HTTP/1.1\r\nHost: h\r\nX-One: two\r\n\r\n", "GET", 200, world.apps)
	before, after := tr.await("pre_request", 1)[0], tr.await("post_request", 1)[0]
	if want := []string{"GET", "/cwd", "q=1", "two"}; !slices.Equal(before[1:], want) {
		t.Errorf("pre_request: got %q, want %q", before[1:], want)
	}
	if want := []string{"1", "/cwd", "200", "text/plain"}; !slices.Equal(after[1:], want) {
		t.Errorf("post_request: got %q, want %q", after[1:], want)
	}

	_ = syscall.Kill(s.pid, syscall.SIGTTIN) // it runs: it has answered
	if got := tr.await("nworkers_changed", 2); !slices.Equal(got[0][1:], []string{"2", "None"}) || !slices.Equal(got[1][1:], []string{"3", "2"}) {
		t.Errorf("nworkers_changed: got %q", got)
	}
	booted := tr.await("post_worker_init", 3)
	s.allow("worker ended", "worker failed")
	abort, interrupt := pidOf(t, booted[0]), pidOf(t, booted[1])
	_ = syscall.Kill(abort, syscall.SIGABRT) // it may have gone: then the wait below fails
	_ = syscall.Kill(interrupt, syscall.SIGQUIT)
	tr.await("worker_abort", 1)
	tr.await("worker_int", 1)
	for _, line := range tr.await("child_exit", 2) {
		if pid := line[1]; pid != strconv.Itoa(abort) && pid != strconv.Itoa(interrupt) {
			t.Errorf("child_exit of %s", pid)
		}
	}
	for _, line := range tr.await("post_worker_init", 5)[2:] { // they were replaced
		awaitHandler(t, pidOf(t, line), syscall.SIGTERM)
	}
	s.stop()
	tr.await("on_exit", 1)
	for hook, n := range map[string]int{
		"on_starting": 1, "when_ready": 1, "pre_fork": 5, "post_fork": 5, "post_worker_init": 5,
		"worker_exit": 5, "child_exit": 5, "on_exit": 1, "worker_abort": 1, "worker_int": 1,
	} {
		lines := tr.of(hook)
		if len(lines) != n {
			t.Errorf("%s was called %d times, want %d", hook, len(lines), n)
		}
		inMold := slices.Contains([]string{"on_starting", "when_ready", "pre_fork", "child_exit", "on_exit"}, hook)
		for _, line := range lines {
			if (line[0] == mold[0]) != inMold {
				t.Errorf("%s was called in process %s, the mold is %s", hook, line[0], mold[0])
			}
		}
	}
}

func pidOf(t *testing.T, line []string) int {
	t.Helper()
	pid, err := strconv.Atoi(line[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitHandler waits until a process catches sig (proc_pid_status(5), SigCgt):
// a worker that boots ends by SIGTERM at once, without worker_exit.
func awaitHandler(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	within(t, 20*time.Second, fmt.Sprintf("%d to catch %v", pid, sig), func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(status), "\nSigCgt:")
		mask, _, _ := strings.Cut(after, "\n")
		caught, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return caught>>(sig-1)&1 == 1
	})
}

// What is wrong with a configuration in Python is told once, and nothing runs on.
func TestScriptsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text   string
		status int
		says   []string
	}{
		"raises":          {"workers = 1 / 0\n", 1, []string{"gunicorn.conf.py: Traceback", "ZeroDivisionError: division by zero"}},
		"exits":           {"raise SystemExit(3)\n", 1, []string{"SystemExit: 3"}},
		"syntax":          {"workers = = 1\n", 1, []string{"SyntaxError: invalid syntax"}},
		"bad value":       {"workers = 'many'\n", 1, []string{`gunicorn.conf.py: workers is "many": not a whole number`}},
		"no such value":   {"workers = object()\n", 1, []string{"workers cannot be <object object"}},
		"hook's arity":    {"def on_starting(): pass\n", 1, []string{"on_starting must take 1 arguments, not 0"}},
		"python":          {"python = '/usr/bin/python3'\n", 1, []string{"sets python, which must be known before"}},
		"hook at start":   {"def on_starting(server): raise RuntimeError('not today')\n", 3, []string{"the hook on_starting failed", "RuntimeError: not today"}},
		"hook in worker":  {"def post_fork(server, worker): raise RuntimeError('not today')\n", 3, []string{"the hook post_fork failed", "RuntimeError: not today"}},
		"kills the mold":  {"import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n", 1, []string{"it was killed by SIGKILL"}},
		"leaves suddenly": {"import os; os._exit(9)\n", 1, []string{"it ended with status 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := filepath.Join(t.TempDir(), "gunicorn.conf.py")
			if err := os.WriteFile(script, []byte(tc.text), 0o644); err != nil {
				t.Fatal(err)
			}
			s := start(t, launch{app: "plain", args: []string{"-c", script}})
			s.allow("indrik: ", "Traceback")
			s.expect(tc.status)
			if s.stderr.count("serving:") != 0 {
				t.Error("indrik said that it serves")
			}
			for _, text := range tc.says {
				s.stderr.await(t, 1, text)
			}
		})
	}
}

// A hook that nobody calls is told of: its author counts on it.
func TestAHookThatIsNeverCalled(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "gunicorn.conf.py")
	text := "def ssl_context(config, default):\n    return default()\ndef post_fork(server, worker):\n    pass\n"
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, launch{app: "plain", args: []string{"-c", script}})
	s.allow("hook is never called")
	s.stderr.await(t, 1, "hook is never called", "hook=ssl_context")
	if strings.Contains(s.stderr.String(), "hook=post_fork") {
		t.Error("a hook that is called was doubted")
	}
	s.stop()
}

func TestAMisspeltNameIsDoubted(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "gunicorn.conf.py")
	if err := os.WriteFile(script, []byte("wrokers = 3\nhelper = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, launch{app: "plain", args: []string{"-c", script}})
	s.allow("what is no setting")
	s.stderr.await(t, 1, "sets what is no setting", "name=wrokers", "meant=workers")
	if strings.Contains(s.stderr.String(), "name=helper") {
		t.Error("a name of the file's own was doubted")
	}
	s.stop()
}
