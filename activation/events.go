package activation

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const statusKey = "STATUS="

// Ready says that start-up, or a reload, has finished. After a reload that
// failed it must be said too. A status that is not empty is shown by systemctl
// status from then on, as in all methods that take one.
func (n *Notifier) Ready(status string) error { return n.event(status, "READY=1") }

// Status tells in words what the service is doing. The text is made one valid
// UTF-8 line and cut to fit; "" removes the text shown before.
func (n *Notifier) Status(text string) error { return n.Send(statusKey + text) }

// Stopping says that shutting down has begun. It is an act, not a remark: from
// then on systemd counts TimeoutStopSec and kills what is left when it ends.
func (n *Notifier) Stopping(status string) error { return n.event(status, "STOPPING=1") }

// Reloading says that a reload has begun at now, a reading of [Monotonic] taken
// at the request or after. [Notifier.Ready] must follow, also if the reload
// fails. systemd needs the time since version 253 and ignores it before.
func (n *Notifier) Reloading(now time.Duration, status string) error {
	return n.event(status, "RELOADING=1", "MONOTONIC_USEC="+micros(now))
}

// Watchdog is the sign of life that [WatchdogInterval] asks for.
func (n *Notifier) Watchdog() error { return n.Send("WATCHDOG=1") }

// TriggerWatchdog asks systemd to act as if the watchdog had expired (since
// version 243), even where WatchdogSec= is not set.
func (n *Notifier) TriggerWatchdog() error { return n.Send("WATCHDOG=trigger") }

// ExtendTimeout moves the end of the current start, stop or run-time limit to
// at least d from now; d is at least a microsecond. It must be said again
// before d is over, and for the first time before the configured limit is. It
// moves the watchdog's deadline as well.
func (n *Notifier) ExtendTimeout(d time.Duration) error {
	if n == nil {
		return nil
	}
	if d < time.Microsecond {
		return fmt.Errorf("extend the timeout by %v: use a microsecond or more", d)
	}
	return n.Send("EXTEND_TIMEOUT_USEC=" + micros(d))
}

// MainPID makes pid the service's main process. A process that is not a child
// of systemd at that moment is killed without a warning by the next stop;
// prefer execve(2) to a new main process.
func (n *Notifier) MainPID(pid int) error {
	if n == nil {
		return nil
	}
	if pid < 2 {
		return fmt.Errorf("announce main process %d: not a process that can be one", pid)
	}
	return n.Send("MAINPID=" + strconv.Itoa(pid))
}

// Errno tells systemd the error number (errno(3), from 1) because of which the
// service fails. To say why in words in the same datagram, use
// [Notifier.Send] with ERRNO= and STATUS=.
func (n *Notifier) Errno(number int) error {
	if n == nil {
		return nil
	}
	if number < 1 {
		return fmt.Errorf("announce error number %d: use a number from errno(3)", number)
	}
	return n.Send("ERRNO=" + strconv.Itoa(number))
}

// event sends assignments and, if there is one, a status with them.
func (n *Notifier) event(status string, assignments ...string) error {
	if status != "" {
		assignments = append(assignments, statusKey+status)
	}
	return n.Send(assignments...)
}

// Monotonic reads CLOCK_MONOTONIC, the clock that systemd and
// [Notifier.Reloading] use: the time since some point before the process began,
// without the time that the machine was suspended.
func Monotonic() time.Duration {
	var ts unix.Timespec
	// clock_gettime(2) fails only for a clock that does not exist.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// oneLine makes text one line of valid UTF-8 of at most limit bytes. systemd
// drops a status with one invalid byte, and takes what follows a line break for
// the next assignment. Runs of white space and control characters become one
// space; what does not fit is cut between characters and replaced by "…".
func oneLine(text string, limit int) string {
	// Do not work through megabytes of traceback for the 4 KiB that remain.
	// Only runs of white space and of invalid bytes shrink; a text made of
	// little else may come out shorter than it could be.
	if most := 16 * MaxNotification; len(text) > most {
		text = text[:most]
	}
	words := strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	})
	line := strings.Join(words, " ")
	if len(line) <= limit {
		return line
	}
	const mark = "…"
	cut := limit - len(mark)
	if cut < 0 {
		return ""
	}
	for cut > 0 && !utf8.RuneStart(line[cut]) {
		cut--
	}
	return line[:cut] + mark
}
