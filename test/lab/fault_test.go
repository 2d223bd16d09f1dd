package lab

import (
	"strings"
	"testing"
)

// watchdog is short, so that a test of it is.
const watchdog = "[Service]\nWatchdogSec=3\nRestartSec=100ms\n"

// A master that stands still cannot restart anything: systemd must.
func TestStoppedMasterIsRestartedByTheWatchdog(t *testing.T) {
	t.Parallel()
	s := install(t, "dog-master", config{service: watchdog})
	s.systemctl("start", s.unit())
	s.get("/", "hello from flask\n")
	s.bark(s.mainPID(), "Watchdog timeout")
}

// A gateway that stands still answers nobody, though the master turns: the
// master must withhold its pings.
func TestStoppedGatewayIsRestartedByTheWatchdog(t *testing.T) {
	t.Parallel()
	s := install(t, "dog-gateway", config{service: watchdog})
	s.systemctl("start", s.unit())
	s.get("/", "hello from flask\n")
	s.bark(s.gatewayPID(), "Watchdog request (last status: serving: 1 worker, generation 1; loop 0 of the gateway does not beat)")
}

// A worker that beats and takes nothing looks well to everybody but its clients.
func TestServiceThatAnswersNothingIsRestartedByTheWatchdog(t *testing.T) {
	t.Parallel()
	s := install(t, "dog-deaf", config{app: "deaf:app", options: "--timeout 1 --asgi-loop asyncio", service: watchdog})
	s.systemctl("start", s.unit())
	s.get("/deafen", "hello\n")
	before, err := s.lab.Cursor(s.limit())
	s.must(err)
	// This one waits until its worker is killed with the rest.
	go func() { _, _ = s.lab.fetch(s.t.Context(), "unix", s.path(), "/") }()
	bitten := s.await(before, said("Watchdog request"))
	if want := "requests wait, a worker is free, and none was answered for 3s"; !strings.Contains(bitten.Message, want) {
		t.Errorf("got %q, want %q in it", bitten.Message, want)
	}
	s.await(bitten.Cursor, identified(UnitStarted))
	s.get("/", "hello\n")
}

// bark stops a process and follows the watchdog's work until the service
// answers again; systemd says it in these words.
func (s *service) bark(pid int, words string) {
	s.t.Helper()
	before := s.mainPID()
	cursor, err := s.lab.Cursor(s.limit())
	s.must(err)
	s.signal("STOP", pid)
	timeout := s.await(cursor, said(words))
	s.await(timeout.Cursor, identified(UnitStarted))
	s.wantProperty("NRestarts", "1")
	s.get("/", "hello from flask\n")
	if after := s.mainPID(); after == before {
		s.t.Errorf("the master is still pid %d", before)
	}
}

// A healthy service must not be restarted by its watchdog, or the tests above
// would pass with no pings at all.
func TestWatchdogLeavesAHealthyServiceAlone(t *testing.T) {
	t.Parallel()
	s := install(t, "dog-quiet", config{service: watchdog})
	s.systemctl("start", s.unit())
	before := s.mainPID()
	for range 3 { // six seconds, two intervals of the watchdog
		s.get("/slow", "slow but whole\n")
	}
	if after := s.mainPID(); after != before || s.property("NRestarts") != "0" {
		s.t.Errorf("restarted: master was %d, is %d", before, after)
	}
	s.wantCleanLog()
}

// systemd holds the listener while there is no master: clients wait and are
// answered by the next one, none is refused.
func TestKilledMasterIsReplacedBehindTheSameSocket(t *testing.T) {
	t.Parallel()
	s := install(t, "killed", config{})
	s.systemctl("start", s.socket())
	s.get("/", "hello from flask\n")
	before, inode := s.mainPID(), s.inode()
	s.signal("KILL", before)
	// Until systemd has noticed and has killed the gateway too, that one goes on
	// answering. From here on nobody is left, and RestartSec= is two seconds.
	s.await(s.from, said("Failed with result 'signal'"))
	s.get("/", "hello from flask\n")
	s.wantProperty("NRestarts", "1")
	if after := s.mainPID(); after == before {
		t.Errorf("the master is still pid %d", before)
	}
	if now := s.inode(); now != inode {
		t.Errorf("the socket was made anew: inode was %s, is %s", inode, now)
	}
}

// inode of the unit's Unix socket in the file system.
func (s *service) inode() string {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "stat", "--format=%i", s.path())
	s.must(err)
	return strings.TrimSpace(out)
}
