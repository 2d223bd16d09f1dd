package activation

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Not parallel: go-systemd, which must agree, reads the environment of the
// process.
func TestWatchdogInterval(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
		refused   bool
	}{
		{"", "", 0, false},
		{"", self, 0, false},
		{"30000000", self, 30 * time.Second, false},
		{"30000000", "", 30 * time.Second, false},
		{"1", self, time.Microsecond, false},
		{"30000000", "1", 0, false},
		{"0", self, 0, true},
		{"-1", self, 0, true},
		{"thirty", self, 0, true},
		{"30s", self, 0, true},
		{"30000000", "self", 0, true},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		got, err := WatchdogInterval(os.Getenv, os.Getpid())
		if got != c.want || (err != nil) != c.refused {
			t.Errorf("%q for %q: %v, %v; want %v, refused %t", c.usec, c.pid, got, err, c.want, c.refused)
		}
		theirs, theirErr := daemon.SdWatchdogEnabled(false)
		if got != theirs || (err != nil) != (theirErr != nil) {
			t.Errorf("%q for %q: we say %v, %v; go-systemd %v, %v", c.usec, c.pid, got, err, theirs, theirErr)
		}
	}
}

// A number so large that it turns negative as a Duration would make a ticker
// panic. (Here we are stricter than go-systemd.)
func TestWatchdogIntervalDoesNotOverflow(t *testing.T) {
	t.Parallel()
	for _, usec := range []string{"9223372036854776", "18446744073709551615"} {
		got, err := WatchdogInterval(env("WATCHDOG_USEC="+usec), 1)
		if got != 0 || err == nil {
			t.Errorf("%s: %v, %v; want an error", usec, got, err)
		}
	}
	if got, err := WatchdogInterval(env("WATCHDOG_USEC=9223372036854775"), 1); got <= 0 || err != nil {
		t.Errorf("the longest: %v, %v", got, err)
	}
}
