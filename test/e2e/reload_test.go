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
	t.Parallel()
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "2", "--access-logfile", os.DevNull))
	s.allServe(2)
	// Of two workers that cannot load it, one may end after the reload was given up.
	s.allow("Traceback (most recent", "reload failed", `cause="load failed"`)
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
	s.until("the master has as many descriptors as before", func() bool { return descriptors(t, s.pid) <= before+compiled })
	s.until("only one generation is left", func() bool { return len(s.children("mold")) == 1 && len(s.children("worker")) == 2 })
	s.stop()
}

// A request that takes long is finished by the old generation while the new one
// serves, in every class of worker.
func TestARequestLivesThroughAReload(t *testing.T) {
	t.Parallel()
	eachClass(t, 8, func(t *testing.T, c class) {
		t.Parallel()
		w := newSite(t, c.app)
		s := serve(t, w.launch(append([]string{"-w", "2"}, c.args...)...))
		s.allServe(2)
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

// A new address is served, an old one is not, and one that stays is never closed.
func TestReloadChangesAddresses(t *testing.T) {
	t.Parallel()
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

// A second HUP during a reload is obeyed after it, TERM at once, and what TTIN added
// is lost.
func TestSignalsDuringAReload(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "2", "--graceful-timeout", "6"))
	s.allServe(2)
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
