package lab

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Nothing runs until somebody asks, and who asks first gets an answer, not a
// refusal.
func TestFirstConnectionStartsTheService(t *testing.T) {
	t.Parallel()
	s := install(t, "first", config{})
	s.systemctl("start", s.socket())
	s.wantProperty("ActiveState", "inactive")
	s.get("/", "hello from flask\n")
	s.wantProperty("ActiveState", "active")
	s.wantCleanLog()
}

// What is started after Indrik may use it at once: start must not return before
// a request would succeed. The port is Indrik's own, so that it would refuse if
// start had returned too early; that the answer comes at once shows that the
// import was over.
func TestStartReturnsWhenARequestWouldSucceed(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:8101"
	s := install(t, "ready", config{app: "slow_import:app", options: "--bind " + address})
	begin := time.Now()
	s.systemctl("start", s.unit())
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("start returned after %v; the import alone takes 2s", took)
	}
	begin = time.Now()
	s.getFrom("tcp", address, "/", "hello from flask\n")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the first request took %v: the service was not ready", took)
	}
	s.wantCleanLog()
}

// A deployment that cannot work must fail where it is made, and say why once.
func TestApplicationThatCannotBeImportedFailsTheStart(t *testing.T) {
	t.Parallel()
	s := install(t, "broken", config{app: "broken:app", options: "--workers 2"})
	_, err := s.lab.Run(s.limit(), "systemctl", "start", s.unit())
	var failed *CommandError
	if !errors.As(err, &failed) {
		t.Fatalf("systemctl start: got %v, want a failure", err)
	}
	s.systemctl("stop", s.unit())
	s.wantProperty("ExecMainStatus", "4")

	entries, err := s.lab.Journal(s.limit(), s.unit(), s.from)
	s.must(err)
	// Restart= may have tried again meanwhile: each master tells its own story.
	tracebacks, reasons := map[string]int{}, map[string]int{}
	for _, e := range entries {
		if strings.Contains(e.Message, "Traceback (most recent call last)") {
			tracebacks[e.PID]++
		}
		if strings.HasPrefix(e.Message, "ModuleNotFoundError: No module named 'module_that_nobody_has'") {
			reasons[e.PID]++
		}
	}
	if len(tracebacks) == 0 || len(reasons) == 0 {
		t.Errorf("no traceback in the journal")
	}
	for pid, n := range tracebacks {
		if n != 1 || reasons[pid] != 1 {
			t.Errorf("process %s wrote %d tracebacks and %d times their last line, want one each", pid, n, reasons[pid])
		}
	}
}

// STATUS= is what an operator reads while waiting for a start.
func TestStatusTellsBootingFromServing(t *testing.T) {
	t.Parallel()
	s := install(t, "status", config{app: "slow_import:app", options: "--workers 2"})
	s.systemctl("start", "--no-block", s.unit())
	s.await(s.from, said("import begun"))
	if got := s.property("StatusText"); !strings.HasPrefix(got, "booting") || !strings.HasSuffix(got, "of 2 workers") {
		t.Errorf("StatusText during the import: got %q, want booting N of 2 workers", got)
	}
	s.wantProperty("ActiveState", "activating")
	s.systemctl("start", s.unit()) // waits for the start that is on its way
	// One worker is enough to serve; the other follows. Nothing announces a new
	// STATUS=, so it is read until it is right.
	const want = "serving: 2 workers, generation 1"
	for limit := s.limit(); s.property("StatusText") != want; {
		if limit.Err() != nil {
			t.Fatalf("StatusText: got %q, want %q", s.property("StatusText"), want)
		}
	}
	s.wantCleanLog()
}

// An operator who gives both kinds of address gets both; Gunicorn ignores
// --bind then.
func TestPassedAndBoundSocketsServeTogether(t *testing.T) {
	t.Parallel()
	const passed, bound = "127.0.0.1:8102", "127.0.0.1:8103"
	s := install(t, "both", config{
		options: "--bind " + bound,
		socket:  "[Socket]\nListenStream=" + passed + "\n",
	})
	s.systemctl("start", s.socket())
	s.get("/", "hello from flask\n")
	s.getFrom("tcp", passed, "/", "hello from flask\n")
	s.getFrom("tcp", bound, "/", "hello from flask\n")
	s.wantCleanLog()
}

// A library in the application that finds systemd's variables would take the
// listeners for its own, or speak to systemd in the master's name.
func TestApplicationDoesNotSeeSystemdsVariables(t *testing.T) {
	t.Parallel()
	s := install(t, "environ", config{service: "[Service]\nEnvironment=PROBE=1\n"})
	s.systemctl("start", s.socket())
	names, err := s.lab.fetch(s.limit(), "unix", s.path(), "/environment")
	s.must(err)
	seen := strings.Fields(names)
	for _, name := range seen {
		switch name {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES":
			t.Errorf("the application sees %s", name)
		}
	}
	if !strings.Contains(names, "PROBE\n") {
		t.Errorf("the application lacks PROBE of the unit: %q", seen)
	}
}
