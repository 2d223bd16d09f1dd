package activation

import (
	"os"
	"slices"
	"strconv"
	"testing"
)

// A worker that inherits NOTIFY_SOCKET and sends STOPPING=1 stops the service;
// one that inherits LISTEN_FDS takes descriptors that are not there. But what
// only looks similar belongs to the application.
func TestUnsetRemovesTheProtocolOnly(t *testing.T) {
	t.Parallel()
	given := []string{
		"PATH=/bin", "LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_FDNAMES=a:b", "LISTEN_PIDFDID=9",
		"NOTIFY_SOCKET=/run/n", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "MAINPID=1", "MAINPIDFDID=1", "FDSTORE=4",
		"LISTEN_ADDRESS=x", "WATCHDOG_URL=y", "FDSTORE_DIR=z", "EMPTY=", "odd",
	}
	before := slices.Clone(given)
	got := Unset(given)
	want := []string{"PATH=/bin", "LISTEN_ADDRESS=x", "WATCHDOG_URL=y", "FDSTORE_DIR=z", "EMPTY=", "odd"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(given, before) {
		t.Errorf("the argument was changed to %q", given)
	}
	if got := Unset(nil); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
}

// A process id comes again, the inode of a pidfd does not: an environment left
// over from a namesake is not for us.
func TestPidfdIdentity(t *testing.T) {
	t.Parallel()
	id, known := pidfdID(os.Getpid())
	if !known {
		t.Skip("this kernel has no identity of pidfds")
	}
	for _, c := range []struct {
		text string
		want bool
	}{{"", true}, {strconv.FormatUint(id, 10), true}, {strconv.FormatUint(id+1, 10), false}} {
		if got, err := pidfdIDMatches(env("LISTEN_PIDFDID="+c.text), os.Getpid()); got != c.want || err != nil {
			t.Errorf("%q: %t, %v; want %t", c.text, got, err, c.want)
		}
	}
}
