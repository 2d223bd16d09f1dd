package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// quietly starts a service whose log is not on standard error: it listens on a
// Unix socket, which answers when it serves.
func quietly(t *testing.T, l launch) *service {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l.bind = []string{"unix:" + path}
	s := start(t, l)
	s.web.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	s.until("it serves", func() bool {
		response, err := s.web.Get(s.url("/ready"))
		if err == nil {
			_ = response.Body.Close() // read to its end by nobody: it is short
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
	return s
}

// contents is the text of files whose names begin with path.
func contents(t *testing.T, path string) (text string) {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(part)
	}
	return text
}

// logrotate renames files and sends SIGUSR1: from then on every process writes to
// new ones, and under load no line is lost or written twice.
func TestLogsAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	access, errors := filepath.Join(dir, "access"), filepath.Join(dir, "error")
	s := quietly(t, launch{app: "plain", args: []string{
		"--workers", "2", "--access-logfile", access, "--error-logfile", errors, "--capture-output", "--access-logformat", "%(U)s %(s)s",
	}})
	var asking sync.WaitGroup
	const clients, requests, rotations = 3, 120, 3
	for i := range clients {
		asking.Go(func() {
			for j := range requests {
				path := fmt.Sprintf("/raise/%d/%d", i, j)
				if j%4 != 0 {
					path = fmt.Sprintf("/ok/%d/%d", i, j)
				}
				response, err := s.web.Get(s.url(path))
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close() // what it says is of no interest
			}
		})
	}
	for i := range rotations {
		time.Sleep(100 * time.Millisecond) // let some be answered between
		for _, path := range []string{access, errors} {
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil {
				t.Fatal(err)
			}
		}
		s.kill(s.pid, syscall.SIGUSR1)
		s.until("new files", func() bool {
			_, err1 := os.Stat(access)
			_, err2 := os.Stat(errors)
			return err1 == nil && err2 == nil
		})
	}
	asking.Wait()
	all := func(i, j int) []string {
		if j%4 != 0 {
			return []string{fmt.Sprintf("/ok/%d/%d 200\n", i, j)}
		}
		return []string{fmt.Sprintf("/raise/%d/%d 500\n", i, j)}
	}
	s.until("every request is in the access log", func() bool { return strings.Count(contents(t, access), "\n") > clients*requests })
	logged, told := contents(t, access), contents(t, errors)
	for i := range clients {
		for j := range requests {
			for _, line := range all(i, j) {
				if n := strings.Count(logged, line); n != 1 {
					t.Errorf("%q is in the access logs %d times", line, n)
				}
			}
			if want := fmt.Sprintf("'/raise/%d/%d' failed:", i, j); j%4 == 0 && strings.Count(told, want) != 1 {
				t.Errorf("%q is in the error logs %d times", want, strings.Count(told, want))
			}
		}
	}
	s.newFilesOnly(access, errors)
	s.kill(s.pid, syscall.SIGTERM)
	<-s.ended
	s.stderr.end(t)
	if text := contents(t, errors); !strings.Contains(text, "indrik.master: stopped") || s.stderr.String() != "" {
		t.Errorf("the end is not in the error log; standard error has %q", s.stderr)
	}
}

// newFilesOnly wants no process to hold a file that was renamed.
func (s *service) newFilesOnly(paths ...string) {
	s.t.Helper()
	s.until("the old files are let go", func() bool {
		for _, pid := range append(s.children(""), s.pid) {
			links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
			for _, link := range links {
				target, _ := os.Readlink(link) // closed meanwhile
				for _, path := range paths {
					if strings.HasPrefix(target, path+".") {
						return false
					}
				}
			}
		}
		return true
	})
}

// What an application prints, and what a program prints that it starts.
func TestOutputIsCaptured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	app := "import os\nprint('at import', flush=True)\ndef application(environ, start_response):\n    os.system('echo by a program')\n" +
		"    environ['wsgi.errors'].write('to wsgi.errors\\n')\n    start_response('200 OK', [])\n    return [b'x']\n"
	if err := os.WriteFile(filepath.Join(dir, "prints.py"), []byte(app), 0o600); err != nil {
		t.Fatal(err)
	}
	s := quietly(t, launch{app: "prints", dir: dir, args: []string{"--log-file", "log", "--capture-output"}})
	text := contents(t, filepath.Join(dir, "log"))
	for _, want := range []string{"at import\n", "by a program\n", "to wsgi.errors\n", "[INFO]  indrik.master: serving"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the log:\n%s", want, text)
		}
	}
	s.kill(s.pid, syscall.SIGTERM)
	<-s.ended
	s.stderr.end(t)
	s.stdout.end(t)
	if s.stderr.String() != "" || s.stdout.String() != "" {
		t.Errorf("output: %q and %q", s.stdout, s.stderr)
	}
}

// letters is a daemon that takes datagrams.
type letters struct {
	path string
	mu   sync.Mutex
	all  []string
}

func collect(t *testing.T) *letters {
	t.Helper()
	l := &letters{path: filepath.Join(t.TempDir(), "daemon")}
	ln, err := net.ListenPacket("unixgram", l.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		buffer := make([]byte, 65536)
		for {
			n, _, err := ln.ReadFrom(buffer)
			if err != nil {
				return
			}
			l.mu.Lock()
			l.all = append(l.all, strings.Split(string(buffer[:n]), "\n")...)
			l.mu.Unlock()
		}
	}()
	return l
}

// has reports whether a line matches.
func (l *letters) has(pattern string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.all, regexp.MustCompile(pattern).MatchString)
}

func TestSyslogGetsBothLogs(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"", "--disable-redirect-access-to-syslog"} {
		daemon := collect(t)
		args := []string{"--log-syslog", "--log-syslog-to", "unix://" + daemon.path, "--log-syslog-prefix", "shop", "--log-syslog-facility", "local1"}
		if option != "" {
			args = append(args, option)
		}
		s := serve(t, launch{app: "plain", args: args})
		s.allow("failed:", "Traceback", "RuntimeError")
		s.wants("/", http.StatusOK, "hello")
		_, _ = s.get("/raise")
		// local1 is 17: 17*8+6 and 17*8+3.
		master := `^<142>gunicorn\.shop\.error: \[` + strconv.Itoa(s.pid) + `\] \[INFO\]  indrik\.master: serving`
		for _, want := range []string{master, `^<139>gunicorn\.shop\.error: \[\d+\] request \S+ GET '/raise' failed:`} {
			s.until(want, func() bool { return daemon.has(want) })
		}
		access := `^<142>gunicorn\.shop\.access: - - - \[.*\] "GET / HTTP/1\.1" 200 5 |^<142>gunicorn\.shop\.access: 127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 5 `
		if option == "" {
			s.until("access lines", func() bool { return daemon.has(access) })
		} else if daemon.has(`\.access: `) {
			t.Error("access lines went to syslog")
		}
		s.stop()
	}
}

// Gunicorn's names, from the three that know: gateway, master and worker.
func TestStatsDGetsGunicornsNumbers(t *testing.T) {
	t.Parallel()
	daemon := collect(t)
	s := serve(t, launch{app: "plain", args: []string{
		"--statsd-host", "unix://" + daemon.path, "--statsd-prefix", "shop", "--dogstatsd-tags", "env:test", "--enable-backlog-metric", "--workers", "2",
	}})
	s.allow("failed:", "Traceback", "RuntimeError")
	s.wants("/", http.StatusOK, "hello")
	_, _ = s.get("/raise")
	for _, want := range []string{
		`workers:2\|g`, `requests:[12]\|c`, `request\.status\.200:1\|c`, `request\.status\.500:1\|c`, `request\.duration:[0-9.]+\|ms`,
		`log\.error:1\|c`, `backlog:0\|h`,
	} {
		s.until(want, func() bool { return daemon.has(`^shop\.gunicorn\.` + want + `\|#env:test$`) })
	}
	s.stop()
}

// Python's logging is configured before the application is loaded, by what counts
// most of three.
func TestLogConfigs(t *testing.T) {
	t.Parallel()
	ini := "[loggers]\nkeys=root\n[handlers]\nkeys=file\n[formatters]\nkeys=f\n[logger_root]\nlevel=INFO\nhandlers=file\n" +
		"[handler_file]\nclass=FileHandler\nformatter=f\nargs=('ini.log',)\n[formatter_f]\nformat=ini %(name)s %(message)s\n"
	described := func(name string) string {
		return fmt.Sprintf(`{"formatters": {"f": {"format": "%[1]s %%(name)s %%(message)s"}}, "handlers": {"file": `+
			`{"class": "logging.FileHandler", "filename": "%[1]s.log", "formatter": "f"}}, "root": {"level": "INFO", "handlers": ["file"]}}`, name)
	}
	app := "import logging\nlogging.getLogger('shop').info('at import')\ndef application(environ, start_response):\n" +
		"    logging.getLogger('shop').info('at work')\n    start_response('200 OK', [])\n    return [b'x']\n"
	script := "import logging\nfrom indrik import logs\nlogconfig_dict = " + described("dict") + "\nclass Mine(logs.Logger):\n" +
		"    def info(self, msg, *args, **kwargs):\n        super().info('mine: ' + msg, *args, **kwargs)\nlogger_class = Mine\n" +
		"def post_worker_init(worker):\n    worker.log.info('by a hook')\n"
	for name, args := range map[string][]string{
		"ini":  {"--log-config", "ini"},
		"json": {"--log-config-json", "json", "--log-config", "ini"},
		"dict": {"--log-config-json", "json", "--log-config", "ini", "-c", "script.py"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"ini": ini, "json": described("json"), "app.py": app, "script.py": script} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := serve(t, launch{app: "app", dir: dir, args: append(args, "--logger-class", "simple")})
		_, _ = s.get("/")
		log := filepath.Join(dir, name+".log")
		want := []string{name + " shop at import\n", name + " shop at work\n"}
		if name == "dict" {
			s.stop()
			s = serve(t, launch{app: "app", dir: dir, args: args}) // without the option, which is stronger
			want = append(want, "dict gunicorn.error mine: by a hook\n")
		}
		s.until("its lines", func() bool {
			return !slices.ContainsFunc(want, func(line string) bool { return !strings.Contains(contents(t, log), line) })
		})
		s.stop()
	}
}

// A named pipe whose reader has stopped: clients notice nothing.
func TestAnAccessLogThatNobodyReads(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := serve(t, launch{app: "plain", args: []string{
		"--access-logfile", fifo, "--access-log-buffer", "64KiB", "--access-logformat", strings.Repeat("x", 4000),
	}})
	s.allow("access log lines were dropped")
	for range 60 {
		s.wants("/", http.StatusOK, "hello")
	}
	s.stderr.await(t, 1, "access log lines were dropped")
	s.stop()
}

func TestLogSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--access-logformat":    {"--access-logformat", "%h"},
		"--log-syslog-to":       {"--log-syslog-to", "nowhere"},
		"--statsd-host":         {"--statsd-host", "host:x"},
		"error log: open":       {"--error-logfile", "/none/log"},
		"access log: open":      {"--access-logfile", "/none/log"},
		"logconfig 'none.ini'":  {"--log-config", "none.ini"},
		"logger_class: 'no.Su'": {"--logger-class", "no.Su"},
	} {
		s := start(t, launch{app: "plain", args: args})
		<-s.ended
		s.stderr.end(t)
		if status := s.cmd.ProcessState.ExitCode(); status < 1 || status > 3 || !strings.Contains(s.stderr.String(), want) {
			t.Errorf("%q: status %d, %s", args, status, s.stderr)
		}
	}
}
