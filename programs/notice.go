package programs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
)

// notice is one notification of a worker, as sd_notify(3) describes them. What is
// not understood is left out, as systemd does.
type notice struct {
	ready, stopping, reloading bool
	beat                       bool // WATCHDOG=1
	trigger                    bool // WATCHDOG=trigger: it wants to be killed
	status                     *string
	errno                      int
	watchdog                   time.Duration // a watchdog of its own choice; 0: not said
	extend                     time.Duration // 0: not said
	barrier                    bool

	store, remove bool
	name          string // of descriptors to store or remove
	keepHungUp    bool   // FDPOLL=0

	fds []int // that came with it; whoever takes the notice closes them
}

// storedName is what systemd calls descriptors that are stored without a name.
const storedName = "stored"

// parseNotice reads the text of a datagram. Values that cannot be read are an
// error that names the first; the rest of the notice counts.
func parseNotice(text string) (n notice, err error) {
	n.name = storedName
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !found {
			continue
		}
		if bad := n.assign(key, value); bad != nil && err == nil {
			err = fmt.Errorf("notification %s=%q: %w", key, value, bad)
		}
	}
	return n, err
}

func (n *notice) assign(key, value string) (err error) {
	yes := value == "1"
	switch key {
	case "READY":
		n.ready = yes
	case "STOPPING":
		n.stopping = yes
	case "RELOADING":
		n.reloading = yes
	case "STATUS":
		n.status = &value
	case "WATCHDOG":
		n.beat, n.trigger = yes, value == "trigger"
	case "WATCHDOG_USEC":
		n.watchdog, err = microseconds(value)
	case "EXTEND_TIMEOUT_USEC":
		n.extend, err = microseconds(value)
	case "ERRNO":
		n.errno, err = strconv.Atoi(value)
	case "FDSTORE":
		n.store = yes
	case "FDSTOREREMOVE":
		n.remove = yes
	case "FDNAME":
		if !validName(value) {
			return fmt.Errorf("not a name; use 1 to 255 printable characters without colons")
		}
		n.name = value
	case "FDPOLL":
		n.keepHungUp = value == "0"
	case "BARRIER":
		n.barrier = yes
	}
	return err
}

// validName reports whether a name may stand in LISTEN_FDNAMES.
func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 255
}

// microseconds reads a positive length of time.
func microseconds(text string) (time.Duration, error) {
	usec, err := strconv.ParseUint(text, 10, 63)
	if err != nil || usec == 0 || usec > uint64(maxWait/time.Microsecond) {
		return 0, fmt.Errorf("not a time in microseconds")
	}
	return time.Duration(usec) * time.Microsecond, nil
}

// maxWait bounds what a program may ask for, far from where times overflow.
const maxWait = 10 * 365 * 24 * time.Hour

// close closes the descriptors that came with the notice and nobody took.
func (n *notice) close() {
	for _, fd := range n.fds {
		_ = unix.Close(fd) // somebody else's file; nothing of ours is lost
	}
	n.fds = nil
}

// oneLine makes a worker's status fit for ours.
func oneLine(text string, limit int) string {
	line := strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar // a terminal could obey it
		}
		return r
	}, line)
	for i := range line {
		if i > limit {
			return line[:i] + "…"
		}
	}
	return line
}

// Signs of life are compared on the clock that pool uses.
func monotonic() time.Duration { return activation.Monotonic() }
