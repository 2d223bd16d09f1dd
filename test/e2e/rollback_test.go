package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/indrik/indrik/control"
)

// rollsBack returns to the generation before, for the nth time, and waits until the
// one that served is gone.
func (s *controlled) rollsBack(nth int) {
	s.t.Helper()
	if out := s.runs("rollback"); !strings.Contains(out, "rollback ") || !strings.Contains(out, " done in ") {
		s.t.Errorf("it printed %q", out)
	}
	s.stderr.await(s.t, nth, "indrik.master: rollback done")
}

// parked waits until a generation is kept that holds nothing, and returns it.
func (s *controlled) parked(workers int) (k control.Kept) {
	s.t.Helper()
	s.until("a generation is kept", func() bool {
		kept := s.status().Kept
		if kept == nil || kept.Workers != workers {
			return false
		}
		k = *kept
		return true
	})
	return k
}

// refusesRollback wants a rollback to fail for a reason that contains want.
func (s *controlled) refusesRollback(want string) {
	s.t.Helper()
	if status, out, said := s.run("rollback"); status != 1 || !strings.Contains(said, want) {
		s.t.Errorf("rollback: status %d, %q, %q; want %q", status, out, said, want)
	}
}

// Whoever asks without pause notices nothing of a new version and of the return to the
// one before, whose processes are the same as ever.
func TestRollbackUnderLoad(t *testing.T) {
	t.Parallel()
	for _, c := range []class{{app: "plain"}, {app: "aplain"}} {
		t.Run(c.app, func(t *testing.T) {
			t.Parallel()
			w := newSite(t, c.app)
			s := serveControlled(t, w.launch("-w", "2", "--keep-previous", "600"))
			s.refusesRollback("no generation is kept")
			s.until("both are ready", func() bool { return ready(s.status()) == 2 })
			before := s.children("worker")
			kept := s.load(3, "/")
			single := s.loadWith(3, "/", "Connection: close\r\n")
			for n := range 3 {
				slow := s.service.client()
				slow.send(fmt.Sprintf("GET /hold/held%d/1 HTTP/1.1\r\nHost: test\r\n\r\n", n))
				s.note(fmt.Sprintf("held%d", n))
				w.version("2")
				s.reload(n + 1)
				s.wants("/version", 200, "2")
				if k := s.parked(2); k.Generation != 1 || k.Memory == 0 || k.Left < 100 {
					t.Errorf("the status says of what is kept %+v", k)
				}
				w.version("1") // what is on disk does not matter: the workers live
				s.rollsBack(n + 1)
				s.wants("/version", 200, "1")
				slow.wants("GET", 200, "held")
			}
			if now := s.children("worker"); !slices.Equal(now, before) {
				t.Errorf("the workers are %v, before they were %v", now, before)
			}
			if k := s.status().Kept; k != nil {
				t.Errorf("after the rollback generation %d is kept", k.Generation)
			}
			s.refusesRollback("no generation is kept")
			kept.flows()
			single.flows()
			kept.end().atMost(t, nil)
			single.end().atMost(t, nil)
			if dials := kept.dials.Load(); dials != 3 {
				t.Errorf("clients that keep their connections made %d, want 3", dials)
			}
			s.stop()
		})
	}
}

// A parked worker that dies comes back with the rollback; if it cannot, the rollback
// fails, what serves goes on, and what is left is still kept.
func TestDeathsOfWhatIsKept(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	s := serveControlled(t, w.launch("-w", "2", "--keep-previous", "600"))
	s.allow("worker ended", "mold ended", "gateway ended", "Traceback (most recent", "rollback failed", "worker failed", "mold failed")
	s.until("both are ready", func() bool { return ready(s.status()) == 2 })
	w.version("2")
	old := s.children("worker")
	mold := s.the("mold")
	s.reload(1)
	s.parked(2)
	s.kill(old[0], syscall.SIGKILL)
	s.parked(1)
	w.put("version.py", "import nothing_of_that_name\n")
	s.refusesRollback("nothing_of_that_name")
	s.wants("/version", 200, "2")
	s.parked(1)
	load := s.load(2, "/")
	s.kill(mold, syscall.SIGKILL)
	s.until("the mold is gone", func() bool { return s.status().Kept.Mold == 0 })
	w.version("1")
	s.rollsBack(1)
	s.wants("/version", 200, "1")
	load.end().atMost(t, nil)
	if now := s.children("worker"); len(now) != 2 || !slices.Contains(now, old[1]) {
		t.Errorf("the workers are %v, want %d and another", now, old[1])
	}

	w.version("3")
	s.reload(2)
	s.parked(2)
	s.kill(s.the("gateway"), syscall.SIGKILL)
	s.wants("/version", 200, "3")
	s.rollsBack(2)
	s.wants("/version", 200, "1")
	s.stop()
}

// With the gateway's configuration goes what belongs to it, and comes back: addresses
// and the form of requests.
func TestRollbackToAnotherGateway(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	stays, goes, comes := filepath.Join(w.dir, "stays"), filepath.Join(w.dir, "goes"), filepath.Join(w.dir, "comes")
	config := func(keepalive int, path string) {
		w.put("indrik.toml", fmt.Sprintf("bind = [%q, %q]\nkeepalive = %d\nkeep_previous = 600\npidfile = %q\n", "unix:"+stays, "unix:"+path, keepalive, path+".pid"))
	}
	config(30, goes)
	l := w.launch("-w", "2")
	l.bind = []string{}
	s := serveControlled(t, l)
	answers := func(path string, want bool) {
		t.Helper()
		conn, err := net.Dial("unix", path)
		if (err == nil) != want {
			t.Errorf("connect to %s: %v, want success: %v", filepath.Base(path), err, want)
		}
		if err == nil {
			speak(t, conn).ask("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "GET", 200, "hello")
			_ = conn.Close()
		}
	}
	s.until("both are ready", func() bool { return ready(s.status()) == 2 })
	before := s.children("worker")
	load := s.load(3, "/")
	config(31, comes)
	w.version("2")
	s.reload(1)
	s.parked(2)
	answers(comes, true)
	answers(goes, false)
	s.rollsBack(1)
	s.wants("/version", 200, "1")
	answers(comes, false)
	answers(goes, true)
	if now := s.children("worker"); !slices.Equal(now, before) {
		t.Errorf("the workers are %v, before they were %v", now, before)
	}
	if pids, _ := filepath.Glob(filepath.Join(w.dir, "*.pid")); !slices.Equal(pids, []string{goes + ".pid"}) {
		t.Errorf("pid files: %v", pids)
	}

	w.put("site_app.py", "from aplain import application as inner\nfrom version import VERSION\n"+siteApps["aplain"])
	config(30, goes)
	s.reload(2)
	s.wants("/version", 200, "2")
	s.parked(2)
	s.rollsBack(2)
	s.wants("/version", 200, "1")
	load.end().atMost(t, nil)
	s.stop()
}

// What is kept is retired when its time is over, when another is kept, before the
// binary is executed, and with the service.
func TestWhatIsKeptGoes(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	w.put("indrik.toml", "keep_previous = 1\n")
	s := serveControlled(t, w.launch("-w", "1"))
	one := func() bool {
		return len(s.children("mold")) == 1 && len(s.children("worker")) == 1
	}
	s.reload(1)
	s.stderr.await(t, 1, "generation not kept any more")
	s.until("only one is left after the time", one)
	s.refusesRollback("no generation is kept")

	w.put("indrik.toml", "keep_previous = 600\n")
	s.reload(2)
	s.reload(3)
	if k := s.parked(1); k.Generation != 3 {
		t.Errorf("generation %d is kept, want 3", k.Generation)
	}
	s.until("two are left", func() bool { return len(s.children("mold")) == 2 })
	s.kill(s.pid, syscall.SIGUSR2)
	s.stderr.await(t, 4, "indrik.master: reload done")
	if k := s.parked(1); k.Generation != 4 {
		t.Errorf("after the exec generation %d is kept, want 4", k.Generation)
	}
	s.rollsBack(1)
	s.until("only one is left after a rollback", one)
	s.reload(5)
	s.parked(1)
	s.stop()
}
