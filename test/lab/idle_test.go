package lab

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// idleCycles is how many clients come around the exits of an idle service.
var idleCycles = flag.Int("idle-cycles", 6, "clients of TestIdleServiceLosesNobody")

// A service that exits when idle saves memory only if nobody has to know: with
// systemd itself, clients come at random moments around its exits.
func TestIdleServiceLosesNobody(t *testing.T) {
	t.Parallel()
	s := install(t, "idle", config{options: "--idle-exit 0.3"})
	s.systemctl("start", s.socket())
	for range *idleCycles {
		s.get("/", "hello from flask\n")
		// The exit is 0.5 s to 1.2 s later: what comes just then is tested.
		time.Sleep(500*time.Millisecond + rand.N(1000*time.Millisecond))
	}
	stopped := s.await(s.from, said("stopping: reason=\"idle for 300ms"))
	s.await(stopped.Cursor, said("Deactivated successfully"))
	s.wantProperty("NRestarts", "0")
	s.wantProperty("Result", "success")
	out, err := s.lab.Run(s.limit(), "systemctl", "is-active", s.socket())
	if err != nil || strings.TrimSpace(out) != "active" {
		t.Errorf("the socket: got %q, %v, want active", out, err)
	}
	entries, err := s.lab.Journal(s.limit(), s.unit(), s.from)
	s.must(err)
	starts := 0
	for _, e := range entries {
		if e.MessageID == UnitStarted {
			starts++
		}
	}
	t.Logf("%d clients, %d starts", *idleCycles, starts)
	s.wantCleanLog()
}
