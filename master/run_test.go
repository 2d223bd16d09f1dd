package master

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The whole life: sockets, processes, requests, the end; and nothing is left.
func TestServesAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid, sock := filepath.Join(dir, "pid"), filepath.Join(dir, "s")
	s := begin(t, "good", map[string][]string{
		"workers": {"2"}, "pidfile": {pid}, "bind": {"127.0.0.1:0", "unix:" + sock},
		"raw_env": {"WHO=you"},
	}).serving()
	if status, body := s.get("/"); status != 200 || !strings.HasSuffix(body, " you") {
		t.Errorf("got %d %q, want 200 and the variable of --env", status, body)
	}
	if text, err := os.ReadFile(pid); err != nil || string(text) != fmt.Sprintln(s.cmd.Process.Pid) {
		t.Errorf("pid file: got %q, %v", text, err)
	}
	conn, err := net.Dial("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	s.stop()
	for _, name := range []string{pid, sock} {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%s: got %v, want it gone", name, err)
		}
	}
}

// systemctl start must return only when a request would succeed, and
// systemctl status must say what goes on.
func TestTellsSystemdTheTruth(t *testing.T) {
	t.Parallel()
	d := fakeSystemd(t)
	s := begin(t, "good", map[string][]string{"workers": {"2"}}, "NOTIFY_SOCKET="+d.path, "WATCHDOG_USEC=2000000")
	before := strings.Join(d.await(t, "READY=1"), "\n")
	s.serving()
	s.worker()
	if !strings.Contains(before, "STATUS=booting") || strings.Contains(before, "STOPPING") {
		t.Errorf("before READY=1 it said %q", before)
	}
	if all := "STATUS=serving: 2 workers, generation 1"; !strings.Contains(before, all) {
		d.await(t, all)
	}
	d.await(t, "WATCHDOG=1")
	d.await(t, "WATCHDOG=1")
	s.signalMaster(syscall.SIGTERM)
	d.await(t, "STOPPING=1")
	s.expect(0)
}

// A service that cannot boot must say why, once, and not try for ever.
func TestBootFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		app    string
		python string
		status int
		said   string // in the last line
		trace  bool   // a traceback is shown
	}{
		{app: "nowhere", status: 4, said: "nowhere"},
		{app: "imports", status: 4, said: "there_is_no_such_module", trace: true},
		{app: "good:missing", status: 4, said: "missing"},
		{app: "good:os", status: 4, said: "called"},
		{app: "good:(", status: 4, said: "("},
		{app: "raises", status: 3, said: "no database", trace: true},
		{app: "exits", status: 3, said: "status 7"},
		{app: "dies", status: 3, said: "SIGKILL"},
		{app: "good", python: "/bin/false", status: 3, said: "status 1"},
		{app: "good", python: "/nonexistent/python", status: 1, said: "--python"},
	} {
		t.Run(c.app+c.python, func(t *testing.T) {
			t.Parallel()
			d := fakeSystemd(t)
			set := map[string][]string{"workers": {"3"}}
			if c.python != "" {
				set["python"] = []string{c.python}
			}
			s := begin(t, c.app, set, "NOTIFY_SOCKET="+d.path)
			s.lawful = []string{"worker ended", "spawn failed", "spawn order expired"} // of the pool
			s.expect(c.status)
			told := strings.Join(d.await(t, "ERRNO="), "\n")
			if strings.Contains(told, "READY=1") || !strings.Contains(told, "STATUS=failed: ") {
				t.Errorf("systemd was told %q", told)
			}
			all, _ := s.entries()
			traces, last := 0, ""
			for _, e := range all {
				if strings.HasPrefix(e.text("@message"), "Traceback") {
					traces++
				}
				if e["raw"] == true {
					last = e.text("@message")
				}
			}
			if want := map[bool]int{true: 1}[c.trace]; c.trace && traces != want {
				t.Errorf("tracebacks: got %d, want %d", traces, want)
			}
			if !strings.Contains(last, c.said) {
				t.Errorf("last line: got %q, want %q in it", last, c.said)
			}
		})
	}
}

// After the service has served, an application that cannot be imported any
// more keeps a worker from coming back, and never ends the service.
func TestLaterBootFailureDoesNotStopTheService(t *testing.T) {
	t.Parallel()
	s := begin(t, "once", map[string][]string{
		"raw_env": {"ONCE=" + filepath.Join(t.TempDir(), "flag")},
	}).serving()
	s.lawful = []string{"worker ended", "worker failed to boot", "restart budget spent"}
	s.killWorker()
	s.await("worker failed to boot", 3)
	s.stop()
}

// A worker killed in a request costs that request, and is replaced.
func TestWorkerDeathCostsItsRequest(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	s.lawful = []string{"worker ended"}
	first := s.worker()
	if status, body := s.get("/die"); status != 502 {
		t.Errorf("the request that killed it: got %d %q, want 502", status, body)
	}
	if second := s.worker(); second == first {
		t.Errorf("worker %d answers after its death", first)
	}
	s.stop()
}

// A request over --timeout gets 504 and the worker is replaced.
func TestTimeoutIsGatewayTimeout(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", map[string][]string{"timeout": {"1"}}).serving()
	s.lawful = []string{"worker ended"}
	if status, body := s.get("/slow?30"); status != 504 {
		t.Errorf("got %d %q, want 504", status, body)
	}
	s.worker()
	s.stop()
}

// The gateway can be killed at any time: the listeners stay open, and clients
// that come meanwhile are served by the next one.
func TestGatewayDeathIsBridged(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", map[string][]string{"workers": {"2"}}).serving()
	s.lawful = []string{"gateway ended"}
	for i := range 4 {
		s.signal(s.await("gateway started", 1+i).pid(), syscall.SIGKILL)
		s.await("gateway started", 2+i)
		s.worker()
	}
	s.stop()
}

// A gateway that dies with requests in the workers' hands: their answers must
// not reach the clients of the next gateway.
func TestGatewayDeathUnderRequests(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	s.lawful = []string{"gateway ended"}
	lost := make(chan int, 1)
	go func() { status, _ := s.get("/slow?10"); lost <- status }()
	s.busy()
	s.signal(s.await("gateway started", 1).pid(), syscall.SIGKILL)
	if status := <-lost; status != 0 {
		t.Errorf("the request of the dead gateway: got %d, want no response", status)
	}
	s.worker()
	s.stop()
}

// The mold can be killed: its workers serve on, and the next mold forks.
func TestMoldDeathIsBridged(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	s.lawful = []string{"mold ended", "worker ended"}
	worker := s.worker()
	s.signal(s.await("mold started", 1).pid(), syscall.SIGKILL)
	s.await("mold ready", 2)
	if got := s.worker(); got != worker {
		t.Errorf("worker: got %d, want %d, which the mold's death does not touch", got, worker)
	}
	s.killWorker()
	if got := s.worker(); got == worker {
		t.Error("the worker was not replaced")
	}
	s.stop()
}

// A mold that is stopped does not answer spawn orders: it is replaced.
func TestStuckMoldIsReplaced(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	s.lawful = []string{"mold stuck", "mold ended", "worker ended", "spawn failed"}
	s.signal(s.await("mold started", 1).pid(), syscall.SIGSTOP)
	s.killWorker()
	s.await("mold stuck", 1)
	s.await("mold ready", 2)
	s.worker()
	s.stop()
}

// Without a watchdog the master itself replaces a gateway that hangs.
func TestStuckGatewayIsReplaced(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	s.lawful = []string{"gateway stopped beating", "gateway ended"}
	s.signal(s.await("gateway started", 1).pid(), syscall.SIGSTOP)
	s.await("gateway started", 2)
	s.worker()
	s.stop()
}

// With one, systemd is no longer told that all is well; and is again when it is.
func TestWatchdogIsWithheldFromAStuckGateway(t *testing.T) {
	t.Parallel()
	d := fakeSystemd(t)
	s := begin(t, "good", nil, "NOTIFY_SOCKET="+d.path, "WATCHDOG_USEC=2000000").serving()
	s.lawful = []string{"watchdog pings withheld", "watchdog triggered"}
	gateway := s.await("gateway started", 1).pid()
	d.await(t, "WATCHDOG=1")
	s.signal(gateway, syscall.SIGSTOP)
	s.await("watchdog pings withheld", 1)
	d.await(t, "does not beat")
	quiet := time.After(1500 * time.Millisecond)
	for waiting := true; waiting; {
		select {
		case m := <-d.messages:
			if strings.Contains(m, "WATCHDOG=1") {
				t.Fatal("a ping though the gateway is stopped")
			}
		case <-quiet:
			waiting = false
		}
	}
	s.signal(gateway, syscall.SIGCONT)
	d.await(t, "WATCHDOG=1")
	s.stop()
}

// SIGTERM in the middle of a request: the client gets its answer.
func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", map[string][]string{"workers": {"2"}}).serving()
	answer := make(chan string, 1)
	go func() { status, body := s.get("/slow?3"); answer <- fmt.Sprint(status, " ", body) }()
	s.busy()
	s.stop()
	if got := <-answer; !strings.HasPrefix(got, "200 ") {
		t.Errorf("got %q, want 200", got)
	}
}

// Impatience: a second SIGTERM, or QUIT, or a passed graceful timeout.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signals []syscall.Signal
		grace   string
		lawful  string
	}{
		"two TERM":        {[]syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, "30", "stopping at once"},
		"INT, TERM":       {[]syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, "30", "stopping at once"},
		"QUIT":            {[]syscall.Signal{syscall.SIGQUIT}, "30", ""},
		"grace":           {[]syscall.Signal{syscall.SIGTERM}, "1", "graceful timeout passed"},
		"no grace at all": {[]syscall.Signal{syscall.SIGTERM}, "0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, "good", map[string][]string{"graceful_timeout": {c.grace}}).serving()
			s.lawful = []string{c.lawful}
			answer := make(chan int, 1)
			go func() { status, _ := s.get("/slow?60"); answer <- status }()
			s.busy()
			began := time.Now()
			for i, sig := range c.signals {
				if i > 0 {
					s.await("stopping", 1)   // equal signals that come together are one
					time.Sleep(2 * sameWish) // and so are those that follow on the heels
				}
				s.signalMaster(sig)
			}
			s.expect(0)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			<-answer
		})
	}
}

// Stopping while it still boots must not wait for the boot.
func TestStopWhileBooting(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", map[string][]string{"workers": {"20"}})
	s.lawful = []string{"spawn failed", "spawn order expired"}
	s.await("mold started", 1)
	s.stop()
}

// TTIN and TTOU, as Gunicorn's users know them; never below one.
func TestResizeBySignal(t *testing.T) {
	t.Parallel()
	d := fakeSystemd(t)
	s := begin(t, "good", nil, "NOTIFY_SOCKET="+d.path).serving()
	s.lawful = []string{"number of workers is at its bound", "signal not supported in this version"}
	s.signalMaster(syscall.SIGTTIN)
	d.await(t, "STATUS=serving: 2 workers")
	s.signalMaster(syscall.SIGTTOU)
	d.await(t, "STATUS=serving: 1 worker,")
	s.signalMaster(syscall.SIGTTOU)
	s.await("number of workers is at its bound", 1)
	s.signalMaster(syscall.SIGUSR1)
	s.await("log files reopened", 1)
	s.worker()
	s.stop()
}

// Processes that workers leave behind become the master's children, and must
// not stay as zombies.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	if status, _ := s.get("/orphan"); status != 200 {
		t.Fatalf("got %d, want 200", status)
	}
	s.await("orphan reaped", 1)
	s.stop()
}

// Two masters of one service would fight over its pid file and its sockets.
func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	if err := os.WriteFile(pid, []byte(fmt.Sprintln(os.Getpid())), 0o644); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // not defer: the subtests run later
	for name, c := range map[string]struct{ setting, value, said string }{
		"pid file":  {"pidfile", pid, fmt.Sprint(os.Getpid())},
		"address":   {"bind", taken.Addr().String(), taken.Addr().String()},
		"directory": {"chdir", filepath.Join(dir, "none"), "--chdir"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, "good", map[string][]string{c.setting: {c.value}})
			s.expect(1)
			all, _ := s.entries()
			if last := all[len(all)-1].text("@message"); !strings.Contains(last, c.said) {
				t.Errorf("got %q, want %q in it", last, c.said)
			}
		})
	}
}

// A gateway that somebody told to leave is replaced, and its word that it holds
// nothing any more must not be taken for its successor's: at the next stop the
// workers would be gone before the requests are.
func TestStopAfterAGatewayLeftByItself(t *testing.T) {
	t.Parallel()
	s := begin(t, "good", nil).serving()
	s.lawful = []string{"gateway ended"}
	s.signal(s.await("gateway started", 1).pid(), syscall.SIGTERM)
	s.await("gateway started", 2)
	s.worker()
	answer := make(chan int, 1)
	go func() { status, _ := s.get("/slow?3"); answer <- status }()
	s.busy()
	s.signalMaster(syscall.SIGTERM)
	if status := <-answer; status != 200 {
		t.Errorf("the request in hand got %d, want 200", status)
	}
	s.expect(0)
}
