package lab

import (
	"testing"
	"time"
)

// An application that needs longer than TimeoutStartSec= is waited for, as long as it
// is within our own boot_timeout: systemd is told so. The same for a reload, which
// systemd bounds by the same time.
func TestSlowBootOutlivesTheTimeoutOfTheUnit(t *testing.T) {
	// Not in parallel: a daemon-reload, which other tests ask for, makes systemd forget
	// that a timeout was extended.
	s := install(t, "patient", config{
		app:     "very_slow_import:app",
		service: "[Service]\nTimeoutStartSec=3\n",
	})
	for _, what := range []string{"start", "reload"} {
		began := time.Now()
		s.systemctl(what, s.unit())
		if took := time.Since(began); took < 6*time.Second {
			t.Errorf("%s took %v; the import alone takes 6s", what, took)
		}
		s.get("/", "hello")
	}
	s.wantProperty("NRestarts", "0")
	s.wantCleanLog()
}
