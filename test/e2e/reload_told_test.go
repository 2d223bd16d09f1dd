package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gunicorn.conf.py is run again, by another mold; its settings and hooks are those of
// the new generation, and one that raises makes the reload fail.
func TestReloadRunsTheConfigurationFile(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	tr := trace{t, filepath.Join(w.dir, "trace")}
	script := func(workers int, more string) {
		w.put("gunicorn.conf.py", fmt.Sprintf(`
workers = %d
def note(*words):
    with open(%q, "a") as file:
        print(*words, file=file)
def on_starting(server): note("on_starting", server.num_workers)
def on_reload(server): note("on_reload", server.num_workers)
def nworkers_changed(server, new, old): note("nworkers_changed", new, old)
def when_ready(server): note("when_ready", 1)
def child_exit(server, worker): note("child_exit", worker.pid)
%s
`, workers, tr.path, more))
	}
	script(1, "")
	s := serve(t, w.launch())
	s.allow("Traceback (most recent", "reload failed", "mold ended")
	old := s.the("worker")
	script(3, "threads = 2\nworker_class = 'gthread'")
	s.reload(1)
	s.allServe(3)
	if got := tr.await("child_exit", 1); got[0][0] != strconv.Itoa(old) {
		t.Errorf("child_exit of %s, want that of %d", got[0][0], old)
	}
	for n, broken := range []struct{ more, want string }{
		{"1 / 0", "ZeroDivisionError"},
		{"timeout = 'soon'", "timeout"},
		{"def on_reload(server): raise ValueError('not now')", "not now"},
		{"import os; os._exit(3)", "status 3"},
	} {
		script(1, broken.more)
		if line := s.failReload(n + 1); !strings.Contains(line, broken.want) {
			t.Errorf("%q gave %q, want %q in it", broken.more, line, broken.want)
		}
		s.wants("/version", 200, "1")
	}
	if n := len(s.children("worker")); n != 3 {
		t.Errorf("%d workers after reloads that failed, want 3", n)
	}
	script(2, "")
	s.reload(2)
	for hook, want := range map[string][][]string{
		"on_starting":      {{"1"}},
		"on_reload":        {{"3"}, {"2"}},
		"nworkers_changed": {{"1", "None"}, {"3", "1"}, {"1", "3"}, {"2", "3"}},
		"when_ready":       {{"1"}},
	} {
		got := tr.of(hook)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %q, want %q", hook, got, want)
		}
	}
	s.stop()
}

// systemd is told of the beginning, the progress and the end of a reload, whether it
// is done or refused.
func TestReloadTellsSystemd(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	dir, err := os.MkdirTemp("", "nfy") // short: the path must fit sockaddr_un
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a socket in the temporary directory harms nobody
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	said := func(until string) (all []string) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(patience)) // sockets have deadlines
		for buffer := make([]byte, 8192); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				t.Fatalf("systemd was not told %q, but %q", until, all)
			}
			if all = append(all, string(buffer[:n])); strings.Contains(all[len(all)-1], until) {
				return all
			}
		}
	}
	l := w.launch("-w", "1")
	l.env = []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "n")}
	s := serve(t, l)
	// Whether the failed worker's end is still told depends on who ends first: it or
	// the stopping service.
	s.allow("Traceback (most recent", "reload failed", "boot failed")
	said("READY=1")
	w.put("version.py", "import time\ntime.sleep(3)\nVERSION = '2'\n")
	s.kill(s.pid, syscall.SIGHUP)
	said("RELOADING=1\nMONOTONIC_USEC=")
	during := strings.Join(said("READY=1"), "\n")
	for _, part := range []string{"EXTEND_TIMEOUT_USEC=", "reload: 0 of 1 worker of generation 2 ready", "serving: 1 worker, generation 2"} {
		if !strings.Contains(during, part) {
			t.Errorf("during the reload systemd was not told %q, but %q", part, during)
		}
	}
	s.stderr.await(t, 1, "reload done")
	w.put("version.py", "1/0\n")
	s.kill(s.pid, syscall.SIGHUP)
	said("RELOADING=1")
	refused := said("READY=1")
	if last := refused[len(refused)-1]; !strings.Contains(last, "generation 2; reload failed: ") || !strings.Contains(last, "ZeroDivisionError") {
		t.Errorf("after a reload that was refused systemd was told %q", last)
	}
	s.stop()
}
