package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// said is what a run of indrik that ends by itself left.
type said struct {
	status         int
	stdout, stderr string
}

// runs runs indrik in a directory to its end.
func runs(t *testing.T, dir string, args ...string) said {
	t.Helper()
	cmd := exec.Command(world.binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir, "VIRTUAL_ENV="+filepath.Dir(filepath.Dir(world.python)), "PYTHONDONTWRITEBYTECODE=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = patience
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func (s said) last() string {
	lines := strings.Split(strings.TrimSpace(s.stderr), "\n")
	return lines[len(lines)-1]
}

// files makes a directory with these files.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// --check-config must find what would keep the service from starting, and touch
// nothing that a service which runs already has.
func TestCheckConfig(t *testing.T) {
	t.Parallel()
	trace := "import os\ndef on_starting(server):\n    open(os.environ.get('E2E_NEVER', '/nonexistent/x'), 'w')\n"
	dir := files(t, map[string]string{
		"good.py":    "def application(environ, start_response): pass\n",
		"late.py":    "raise ValueError('not today')\n",
		"coro.py":    "async def application(scope, receive, send): pass\n",
		"conf.py":    trace + "wsgi_app = 'good'\nworkers = 2\n",
		"env.py":     "import os\ndef application(environ, start_response): pass\nassert os.environ['NEEDED'] == 'yes'\n",
		"broken.py":  "workers = 1 +\n",
		"bad.toml":   "workers = 'x'\n",
		"good.toml":  "wsgi_app = 'good'\nbind = '127.0.0.1:1'\npidfile = '/nonexistent/pid'\n",
		"certs.toml": "wsgi_app = 'good'\ncertfile = 'none.pem'\n",
	})
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string // the last line of standard error
	}{
		{"good", []string{"good"}, 0, ""},
		{"nothing is bound or written", []string{"-c", "good.toml"}, 0, ""},
		{"no hook is called", []string{"-c", "conf.py"}, 0, ""},
		{"the application's environment", []string{"-e", "NEEDED=yes", "env"}, 0, ""},
		{"asgi", []string{"coro"}, 0, ""},
		{"configuration", []string{"-c", "bad.toml", "good"}, 1, "indrik: setting workers: bad.toml:1: workers"},
		{"script", []string{"-c", "broken.py", "good"}, 1, "SyntaxError"},
		{"certificates", []string{"-c", "certs.toml"}, 1, "none.pem"},
		{"directory", []string{"--chdir", "/nonexistent", "good"}, 1, "/nonexistent"},
		{"files", []string{"--static", "/s=/nonexistent", "good"}, 2, "/nonexistent"},
		{"usage", []string{"-w", "x", "good"}, 2, "workers"},
		{"boot", []string{"late"}, 3, "indrik: boot late: worker failed to boot: ValueError: not today"},
		{"load", []string{"good:other"}, 4, "indrik: load good:other: application cannot be loaded: "},
		{"interface", []string{"-k", "gthread", "coro"}, 4, "coro is an ASGI application"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runs(t, dir, append([]string{"--check-config"}, c.args...)...)
			if got.status != c.status || !strings.Contains(got.last(), c.says) || c.says == "" && got.stderr != "" || got.stdout != "" {
				t.Errorf("status %d, stdout %q, stderr:\n%s", got.status, got.stdout, got.stderr)
			}
		})
	}
}

func TestPrintConfigLoadsTheApplicationToo(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"good.py": "application = print\n", "conf.py": "workers = 7\n"})
	got := runs(t, dir, "--print-config", "-c", "conf.py", "good")
	if got.status != 0 || !strings.Contains(got.stdout, "= 7  # ") {
		t.Errorf("status %d:\n%s%s", got.status, got.stdout, got.stderr)
	}
	if got = runs(t, dir, "--print-config", "-c", "conf.py", "none"); got.status != 4 || !strings.Contains(got.stdout, "= 7  # ") {
		t.Errorf("status %d:\n%s", got.status, got.stderr)
	}
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"good.toml": "workers = 2\nwsgi_app = 'app'\n", "good.py": "workers = 3\n", "bad.toml": "\nwrokers = 1\n",
		"bad.py": "workers = -1\n", "worse.py": "import none\n", "app.py": "application = print\n",
		"check.py": "application = print\n",
	})
	got := runs(t, dir, "check", "good.toml", "good.py")
	if got.status != 0 || got.stdout != "good.toml: ok\ngood.py: ok\n" || got.stderr != "" {
		t.Errorf("good ones: %+v", got)
	}
	got = runs(t, dir, "check", "good.toml", "bad.toml", "bad.py", "worse.py", "none.toml")
	if got.status != 1 || got.stdout != "good.toml: ok\n" {
		t.Errorf("status %d, stdout %q", got.status, got.stdout)
	}
	for _, want := range []string{
		`bad.toml:2:1: no setting is called "wrokers"; did you mean workers?`,
		"bad.py: setting workers: ", "worse.py: ", "No module named 'none'", "none.toml: ",
		"indrik: 4 of 5 configuration files cannot be used",
	} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("no %q in\n%s", want, got.stderr)
		}
	}
	for args, status := range map[string]int{
		"check good.toml --app": 0, "check good.py --app": 1, "check good.py --app=app": 0, "check good.py good.toml --app=none": 1,
		"--check-config check": 0, // an application of that name
	} {
		if got := runs(t, dir, strings.Fields(args)...); got.status != status {
			t.Errorf("%s: status %d, want %d:\n%s", args, got.status, status, got.stderr)
		}
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"gunicorn.conf.py": "import os\nbind = '127.0.0.1:0'\nworkers = len('ab')\ndaemon = False\ntimeout = 2.5\nwrokers = 2\n" +
			"secure_scheme_headers = {'X-A': '1', 'X-B': '2'}\ndef post_fork(server, worker):\n    pass\n",
		"app.py": "application = print\n",
	})
	got := runs(t, dir, "migrate", "gunicorn.conf.py")
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{
		"bind = [\"127.0.0.1:0\"]\n", "#     workers = len('ab')\nworkers = 2\n", "timeout = \"2.5s\"\n",
		"#   post_fork, a hook\n", "# wrokers is no setting and was left out; did it mean workers?\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "new.toml"), []byte(got.stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	values := func(file string) (lines []string) {
		text := runs(t, dir, "--print-config", "-c", file, "app").stdout
		for line := range strings.Lines(text) {
			value, _, _ := strings.Cut(line, "  # ")
			if !strings.HasPrefix(line, "config ") && !strings.HasPrefix(line, "print_config ") {
				lines = append(lines, value)
			}
		}
		return lines
	}
	old, now := values("gunicorn.conf.py"), values("new.toml")
	for i := range old {
		if i < len(now) && old[i] != now[i] && !strings.HasPrefix(old[i], "timeout ") { // 2.5 and 2.5s
			t.Errorf("was %s, is %s", old[i], now[i])
		}
	}
	if len(old) < 50 || len(old) != len(now) {
		t.Errorf("%d and %d settings", len(old), len(now))
	}
}

// A check that hangs must be ended by the signal that ends a service.
func TestCheckIsStopped(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"hangs.py": "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(60)\n"})
	s := start(t, launch{app: "hangs", dir: dir, args: []string{"--check-config"}})
	s.allow("indrik: ")
	s.stderr.await(t, 1, "loading")
	began := time.Now()
	s.kill(s.pid, 15)
	s.expect(3)
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}
