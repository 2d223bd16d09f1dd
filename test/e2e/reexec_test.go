package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// laterVersion is that of the second binary.
const laterVersion = "9.9.9"

// laterBinary builds indrik with another version, once, as it is released: without
// cgo, where signals around an exec are kept exactly.
var laterBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(world.binary), "later")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "indrik")
	_, err = output(world.root, "env", "CGO_ENABLED=0", "go", "build", "-ldflags", "-X main.version="+laterVersion, "-o", path, "./cmd/indrik")
	return path, err
})

// later is the path of that binary.
func later(t testing.TB) string {
	t.Helper()
	path, err := laterBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// installed is a site with a binary of its own, which tests replace as a package
// manager does. It says its version at /software.
type installed struct {
	site
	binary string
}

func install(t testing.TB, from string) installed {
	t.Helper()
	w := installed{site: newSite(t, "plain")}
	w.binary = filepath.Join(w.dir, "indrik")
	w.put("site_app.py", `
from plain import application as inner
from version import VERSION
def application(environ, start_response):
    said = {"/version": VERSION, "/software": environ["SERVER_SOFTWARE"]}.get(environ["PATH_INFO"])
    if said is None:
        return inner(environ, start_response)
    start_response("200 OK", [("Content-Length", str(len(said)))])
    return [said.encode()]
`)
	w.replace(from)
	return w
}

// replace puts another binary in the place of the one that is there.
func (w installed) replace(from string) {
	w.t.Helper()
	to := w.binary + ".new"
	// A child that another test forks would hold the file open for writing until it
	// execs, and who executes it meanwhile would get ETXTBSY: nobody forks meanwhile.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := copyFile(from, to); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(to, w.binary); err != nil {
		w.t.Fatal(err)
	}
}

// script puts a program there that is no indrik.
func (w installed) script(text string) {
	w.t.Helper()
	w.put("indrik", text)
}

// put is that of the site, for files that can be executed; see replace.
func (w installed) put(name, text string) {
	w.t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	w.site.put(name, text)
	if err := os.Chmod(filepath.Join(w.dir, name), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

func (w installed) launch(args ...string) launch {
	// A gateway that leaves gives idle connections half of it.
	l := w.site.launch(append([]string{"--graceful-timeout", "2"}, args...)...)
	l.binary = w.binary
	return l
}

// exchange asks for the nth reload that succeeds, with an exec.
func (s *service) exchange(nth int) {
	s.t.Helper()
	s.kill(s.pid, syscall.SIGUSR2)
	s.stderr.await(s.t, nth, "indrik.master: reload done")
}

// The master executes its binary twenty times, and nobody who asks without pause
// notices; the process is the same, and no larger than after the first time.
func TestReexecUnderLoad(t *testing.T) {
	t.Parallel()
	w := install(t, later(t))
	s := serve(t, w.launch("-w", "1"))
	s.allServe(1)
	kept := s.load(2, "/")
	single := s.loadWith(1, "/", "Connection: close\r\n")
	before, memory := 0, 0
	for n := range 20 {
		s.exchange(n + 1)
		if n == 0 {
			s.until("the first generation is gone", func() bool { return len(s.children("mold")) == 1 })
			before, memory = descriptors(t, s.pid), resident(t, s.pid)
		}
	}
	if n := s.stderr.count("binary exchanged"); n != 20 {
		t.Errorf("the binary was executed %d times, want 20", n)
	}
	kept.flows()
	single.flows()
	kept.end().atMost(t, nil)
	single.end().atMost(t, nil)
	if dials := kept.dials.Load(); dials != 2 {
		t.Errorf("clients that keep their connections made %d, want 2", dials)
	}
	s.hangUp()
	s.until("the master has as many descriptors as after the first", func() bool { return descriptors(t, s.pid) <= before+compiled })
	if now := resident(t, s.pid); now > memory*3/2 {
		t.Errorf("the master has %d bytes after twenty times, %d after the first", now, memory)
	}
	s.stop()
}

// A binary that is replaced is the one that serves after the reload, under the same
// process number. One that will not do is refused with the reason, at whatever point,
// and the one that runs goes on.
func TestBinaryIsReplaced(t *testing.T) {
	t.Parallel()
	w := install(t, world.binary)
	s := serve(t, w.launch("-w", "1"))
	s.allow("reload failed", "could not take over", "Traceback (most recent", "worker ended: ", "indrik: unknown")
	_, first := s.get("/software")
	load, single := s.load(2, "/"), s.loadWith(2, "/", "Connection: close\r\n")
	good := later(t)
	takeover := "#!/bin/sh\n[ \"$1\" = preflight ] && exec " + good + " \"$@\"\n"
	for n, fault := range []struct{ name, binary, want string }{
		{"no program", "\x7fELF and nothing else", "exec format error"},
		{"ends", "#!/bin/sh\necho not today >&2\nexit 1\n", "status 1, saying: not today"},
		{"killed", "#!/bin/sh\nkill -9 $$\n", "SIGKILL"},
		{"says nothing", "#!/bin/sh\nexit 0\n", "status 0"},
		{"cannot read the state", "#!" + world.python + `
import marshal, os, socket
answer = ("preflight", '{"version": "99", "oldest": 7, "newest": 8, "error": "", "more": 1}')
socket.socket(fileno=int(os.environ["INDRIK_PREFLIGHT"])).send(marshal.dumps(answer, 2))
`, "version 99 cannot read the state of this one: its format has number 1, and 7 to 8 can be read"},
		{"fails in the takeover", takeover + "exec " + good + " --no-such-option \"$@\"\n", "no-such-option"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			w.script(fault.binary)
			if line := s.failReload(n + 1); !strings.Contains(line, fault.want) {
				t.Errorf("the reload failed with %q, want %q in it", line, fault.want)
			}
			s.hangUp()
			s.wants("/software", 200, first)
		})
	}
	failed := s.stderr.count("indrik.master: reload failed")
	w.replace(good)
	w.put("indrik.toml", "timeout = -1\n")
	if line := s.failReload(failed + 1); !strings.Contains(line, "timeout") {
		t.Errorf("with a broken configuration the reload failed with %q", line)
	}
	exchanged := s.stderr.count("binary exchanged")
	if exchanged != 0 {
		t.Errorf("%d executions before there was a binary for it", exchanged)
	}
	w.put("indrik.toml", "")
	s.reload(1)
	s.hangUp()
	s.wants("/software", 200, "indrik/"+laterVersion)
	w.put("version.py", "1/0\n")
	if line := s.failReload(failed + 2); !strings.Contains(line, "ZeroDivisionError") {
		t.Errorf("with a broken application the reload failed with %q", line)
	}
	w.version("2")
	s.reload(2)
	s.wants("/version", 200, "2")
	if n := s.stderr.count("binary exchanged"); n != 1 {
		t.Errorf("the binary was executed %d times, want 1: it changed once", n)
	}
	load.end().atMost(t, nil)
	single.end().atMost(t, nil)
	s.stop()
}
