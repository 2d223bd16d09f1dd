package gateway

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Out of descriptors, accepting pauses, the log says so once, those who are
// connected are served, and those who wait are when there is room again.
func TestOutOfDescriptors(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Connections = 1000 })
	g.hire(0, text("ok"))
	first := g.dial()
	first.say(get)
	first.hear("GET")
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	runtime.GC() // what other tests left to it is not closed in the middle of this
	open, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	low, highest := limit, 0
	for _, entry := range open {
		fd, _ := strconv.Atoi(entry.Name())
		highest = max(highest, fd)
	}
	low.Cur = uint64(highest + 16)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	restore := func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }
	t.Cleanup(restore)
	var taken []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	_ = unix.Close(taken[len(taken)-1]) // the one that the client's end takes
	second := g.dial()
	second.say(get)
	waitFor(t, func() bool { return strings.Contains(g.log.String(), "too many open files") })
	first.say(get)
	if _, body := first.hear("GET"); body != "ok" {
		t.Errorf("meanwhile: %q", body)
	}
	for _, fd := range taken[:len(taken)-1] {
		_ = unix.Close(fd)
	}
	restore()
	if _, body := second.hear("GET"); body != "ok" {
		t.Errorf("afterwards: %q", body)
	}
	if n := strings.Count(g.log.String(), "accepting paused"); n != 1 {
		t.Errorf("the log says %d times that accepting paused", n)
	}
}
