package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// site is a directory with an application that tests change, and what they
// configure it with.
type site struct {
	t   testing.TB
	dir string
}

// newSite makes one that answers as module does, and at /version with "1".
func newSite(t testing.TB, module string) site {
	t.Helper()
	w := site{t: t, dir: t.TempDir()}
	w.put("site_app.py", "from "+module+" import application as inner\nfrom version import VERSION\n"+siteApps[module])
	w.version("1")
	return w
}

// siteApps say the version at /version and leave all else to another application.
var siteApps = map[string]string{
	"plain": `
def application(environ, start_response):
    if environ["PATH_INFO"] != "/version":
        return inner(environ, start_response)
    start_response("200 OK", [("Content-Length", str(len(VERSION)))])
    return [VERSION.encode()]
`,
	"aplain": `
import asyncio
from notes import note
async def application(scope, receive, send):
    _, word, *rest = scope.get("path", "/").split("/")
    if word == "hold":
        note(rest[0], 1)
        await asyncio.sleep(float(rest[1]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": b"held"})
    if scope.get("path") != "/version":
        return await inner(scope, receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": VERSION.encode()})
`,
}

// put writes a file as a deployment does: whole or not at all.
func (w site) put(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
}

func (w site) version(text string) {
	w.t.Helper()
	w.put("version.py", fmt.Sprintf("VERSION = %q\n", text))
}

// launch serves the site.
func (w site) launch(args ...string) launch {
	return launch{app: "site_app", dir: w.dir, args: append([]string{"--pythonpath", world.apps}, args...)}
}

// reload asks for the nth reload that succeeds and waits until the generation
// before is gone.
func (s *service) reload(nth int) {
	s.t.Helper()
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(s.t, nth, "indrik.master: reload done")
}

// failReload asks for the nth reload that fails and returns the line that says why.
func (s *service) failReload(nth int) string {
	s.t.Helper()
	s.kill(s.pid, syscall.SIGHUP)
	return s.stderr.await(s.t, nth, "indrik.master: reload failed")
}

// Reloads, with the same code, with new code and with broken code, are no matter
// to anybody who asks without pause; they leave nothing behind in the master.
func TestReloadUnderLoad(t *testing.T) {
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "2", "--access-logfile", os.DevNull))
	s.allServe(2)
	s.allow("Traceback (most recent", "reload failed")
	before := descriptors(t, s.pid)
	kept := s.load(4, "/")
	single := s.loadWith(4, "/", "Connection: close\r\n")
	done, failed, version := 0, 0, "1"
	for n := range 20 {
		switch {
		case n%5 == 4:
			w.put("version.py", "import nothing_of_that_name\n")
			failed++
			if line := s.failReload(failed); !strings.Contains(line, "nothing_of_that_name") {
				t.Errorf("a broken application gave %q", line)
			}
			w.version(version)
			continue
		case n%2 == 0:
			version = strconv.Itoa(n + 2)
			w.version(version)
		}
		done++
		s.reload(done)
		s.wants("/version", 200, version)
	}
	kept.flows()
	single.flows()
	kept.end().atMost(t, nil)
	single.end().atMost(t, nil)
	if dials := kept.dials.Load(); dials != 4 {
		t.Errorf("clients that keep their connections made %d, want 4", dials)
	}
	s.hangUp()
	s.until("the master has as many descriptors as before", func() bool { return descriptors(t, s.pid) <= before })
	s.until("only one generation is left", func() bool { return len(s.children("mold")) == 1 && len(s.children("worker")) == 2 })
	s.stop()
}

// A request that takes long is finished by the old generation while the new one
// serves, in every class of worker.
func TestARequestLivesThroughAReload(t *testing.T) {
	eachClass(t, 8, func(t *testing.T, c class) {
		w := newSite(t, c.app)
		s := serve(t, w.launch(append([]string{"-w", "2"}, c.args...)...))
		slow := s.client()
		slow.send("GET /hold/held/4 HTTP/1.1\r\nHost: test\r\n\r\n")
		s.note("held")
		w.version("2")
		s.kill(s.pid, syscall.SIGHUP)
		s.stderr.await(t, 1, "generation took over")
		s.wants("/version", 200, "2")
		if s.stderr.count("reload done") != 0 {
			t.Error("the old generation was gone before its request was")
		}
		slow.wants("GET", 200, "held")
		s.stderr.await(t, 1, "reload done")
		slow.ask("GET /version HTTP/1.1\r\nHost: test\r\n\r\n", "GET", 200, "2")
		s.stop()
	})
}

// With settings that only a new gateway can have, that one takes over while the
// old one finishes; clients that ask without pause notice nothing.
func TestReloadWithAnotherGateway(t *testing.T) {
	w := newSite(t, "plain")
	w.put("indrik.toml", "keepalive = 30\n")
	s := serve(t, w.launch("-w", "2"))
	s.allServe(2)
	before, gateway := descriptors(t, s.pid), s.the("gateway")
	kept := s.load(4, "/")
	single := s.loadWith(4, "/", "Connection: close\r\n")
	slow := s.client()
	slow.send("GET /hold/held/3 HTTP/1.1\r\nHost: test\r\n\r\n")
	s.note("held")
	for n := range 3 {
		w.put("indrik.toml", fmt.Sprintf("keepalive = %d\ngraceful_timeout = 10\n", 40+n))
		s.reload(n + 1)
	}
	slow.wants("GET", 200, "held")
	kept.flows()
	single.flows()
	kept.end().atMost(t, nil)
	single.end().atMost(t, nil)
	if s.the("gateway") == gateway {
		t.Error("the gateway is the same")
	}
	s.hangUp()
	s.until("the master has as many descriptors as before", func() bool { return descriptors(t, s.pid) <= before })
	s.stop()
}

// A new address is served, an old one is not, and one that stays is never closed.
func TestReloadChangesAddresses(t *testing.T) {
	w := newSite(t, "plain")
	stays, goes, comes := filepath.Join(w.dir, "stays"), filepath.Join(w.dir, "goes"), filepath.Join(w.dir, "comes")
	config := func(paths ...string) {
		w.put("indrik.toml", fmt.Sprintf("bind = [%q, %q]\ngraceful_timeout = 4\n", "unix:"+paths[0], "unix:"+paths[1]))
	}
	config(stays, goes)
	l := w.launch()
	l.bind = []string{}
	s := serve(t, l)
	load := s.load(4, "/")
	config(comes, stays)
	s.reload(1)
	for path, want := range map[string]bool{stays: true, comes: true, goes: false} {
		conn, err := net.Dial("unix", path)
		if (err == nil) != want {
			t.Errorf("connect to %s: %v, want success: %v", filepath.Base(path), err, want)
		}
		if err == nil {
			speak(t, conn).ask("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "GET", 200, "hello")
			_ = conn.Close()
		}
	}
	load.end().atMost(t, nil)
	s.stop()
}

// Whatever is wrong, the reload is refused with the reason, and the service goes on
// as before; the next one, with the fault mended, works.
func TestReloadsThatFail(t *testing.T) {
	w := newSite(t, "plain")
	good := "graceful_timeout = 5\n"
	w.put("indrik.toml", good)
	s := serve(t, w.launch("-w", "2"))
	s.allow("Traceback (most recent", "reload failed", "worker ended: ")
	load := s.load(2, "/")
	for n, fault := range []struct{ config, version, want string }{
		{"timeout = -1\n", "", "timeout"},
		{"no_such_setting = 1\n", "", "no_such_setting"},
		{"chdir = \"/nonexistent\"\n", "", "/nonexistent"},
		{"certfile = \"none.pem\"\nkeyfile = \"none.pem\"\n", "", "none.pem"},
		{good, "syntax error", "SyntaxError"},
		{good, "import os; os._exit(7)", "ended with status 7"},
		{good, "import os; os.kill(os.getpid(), 9)", "SIGKILL"},
		{good + "boot_timeout = 1\n", "import time; time.sleep(60)", "not ready within 1s"},
		{good + "preload_app = true\n", "1/0", "ZeroDivisionError"},
	} {
		w.put("indrik.toml", fault.config)
		if fault.version != "" {
			w.put("version.py", fault.version+"\n")
		}
		if line := s.failReload(n + 1); !strings.Contains(line, fault.want) {
			t.Errorf("%q with %q gave %q, want %q in it", fault.config, fault.version, line, fault.want)
		}
		w.version("1")
		s.wants("/version", 200, "1")
	}
	w.put("indrik.toml", good)
	w.version("2")
	s.reload(1)
	s.wants("/version", 200, "2")
	load.end().atMost(t, nil)
	s.stop()
}

// An address that somebody else has: nothing of the present ones is let go.
func TestReloadThatCannotBind(t *testing.T) {
	w := newSite(t, "plain")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	own := "unix:" + filepath.Join(w.dir, "socket")
	w.put("indrik.toml", fmt.Sprintf("bind = %q\n", own))
	l := w.launch()
	l.bind = []string{}
	s := serve(t, l)
	s.allow("reload failed")
	w.put("indrik.toml", fmt.Sprintf("bind = [%q, %q]\n", "unix:"+filepath.Join(w.dir, "other"), busy.Addr().String()))
	if line := s.failReload(1); !strings.Contains(line, "address already in use") {
		t.Errorf("the reload failed with %q", line)
	}
	s.wants("/version", 200, "1")
	if _, err := os.Stat(filepath.Join(w.dir, "other")); err == nil {
		t.Error("the socket that was bound for the reload is still there")
	}
	s.stop()
}

// Every process may be killed at any time of a reload; at its end something serves,
// and the next reload works.
func TestKillsDuringAReload(t *testing.T) {
	slow := "import time\nfrom notes import note\nnote('importing', 1)\ntime.sleep(1.5)\n"
	for _, victim := range []string{"mold", "worker", "gateway", "old worker"} {
		t.Run(victim, func(t *testing.T) {
			w := newSite(t, "plain")
			s := serve(t, w.launch("-w", "1"))
			s.allow("reload failed", "worker ended", "mold ended", "gateway ended", "worker not understood")
			s.wants("/version", 200, "1")
			old := map[string]int{"mold": s.the("mold"), "worker": s.the("worker")}
			w.put("version.py", slow+"VERSION = '2'\n")
			s.kill(s.pid, syscall.SIGHUP)
			s.note("importing")
			fresh := func(role string) (pid int) {
				s.until("a new "+role, func() bool {
					all := slices.DeleteFunc(s.children(role), func(pid int) bool { return pid == old[role] })
					if len(all) == 1 {
						pid = all[0]
					}
					return len(all) == 1
				})
				return pid
			}
			switch victim {
			case "mold":
				s.kill(fresh("mold"), syscall.SIGKILL)
			case "worker":
				s.kill(fresh("worker"), syscall.SIGKILL)
			case "gateway":
				s.kill(s.the("gateway"), syscall.SIGKILL)
			case "old worker":
				s.kill(old["worker"], syscall.SIGKILL)
			}
			s.until("the reload is over", func() bool {
				return s.stderr.count("reload done") == 1 || s.stderr.count("reload failed") == 1
			})
			failed := victim == "worker"
			if got := s.stderr.count("reload failed") == 1; got != failed {
				t.Errorf("the reload failed: %v, want %v", got, failed)
			}
			s.hangUp()
			s.wants("/version", 200, map[bool]string{true: "1", false: "2"}[failed])
			w.version("3")
			s.reload(s.stderr.count("reload done") + 1)
			s.wants("/version", 200, "3")
			s.stop()
		})
	}
}

// A second HUP during a reload is obeyed after it, TERM at once, and what TTIN added
// is lost.
func TestSignalsDuringAReload(t *testing.T) {
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "1"))
	s.kill(s.pid, syscall.SIGTTIN)
	s.until("two workers", func() bool { return len(s.children("worker")) == 2 })
	w.put("version.py", "import time\ntime.sleep(1)\nVERSION = '2'\n")
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(t, 1, "reload begun")
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(t, 1, "reload put off")
	w.version("3")
	s.stderr.await(t, 2, "reload done")
	s.wants("/version", 200, "3")
	if len(s.children("worker")) != 1 {
		t.Error("the worker of TTIN is there after a reload")
	}
	w.put("version.py", "import time\ntime.sleep(60)\n")
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(t, 3, "reload begun")
	begun := time.Now()
	s.stop()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the stop during a reload took %v", took)
	}
}

// An application that turns from WSGI into ASGI, with other workers, loses no
// request: those that were written in the old form stay with the old gateway.
func TestReloadChangesTheInterface(t *testing.T) {
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "2", "--graceful-timeout", "6"))
	load, single := s.load(4, "/"), s.loadWith(2, "/", "Connection: close\r\n")
	w.put("site_app.py", "from aplain import application as inner\nfrom version import VERSION\n"+siteApps["aplain"])
	w.version("2")
	s.reload(1)
	s.hangUp()
	s.wants("/version", 200, "2")
	w.put("site_app.py", "from plain import application as inner\nfrom version import VERSION\n"+siteApps["plain"])
	w.version("3")
	s.reload(2)
	s.hangUp()
	s.wants("/version", 200, "3")
	load.end().atMost(t, nil)
	single.end().atMost(t, nil)
	s.stop()
}

// gunicorn.conf.py is run again, by another mold; its settings and hooks are those of
// the new generation, and one that raises makes the reload fail.
func TestReloadRunsTheConfigurationFile(t *testing.T) {
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
	s.allow("Traceback (most recent", "reload failed")
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
