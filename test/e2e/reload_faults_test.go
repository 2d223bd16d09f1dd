package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Whatever is wrong, the reload is refused with the reason, and the service goes on
// as before; the next one, with the fault mended, works.
func TestReloadsThatFail(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	good := "graceful_timeout = 5\n"
	w.put("indrik.toml", good)
	s := serve(t, w.launch("-w", "2"))
	s.allServe(2)
	s.allow("Traceback (most recent", "reload failed", "worker ended: ", "Fatal Python error: Aborted", "Current thread 0x",
		"spawn order expired") // within a boot_timeout of a second
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
	t.Parallel()
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
	t.Parallel()
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
