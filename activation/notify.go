package activation

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxNotification is the longest notification in bytes. systemd drops a
	// longer datagram whole, with a line in its own log only.
	MaxNotification = 4096

	// MaxNotificationFDs is the most descriptors one notification can carry:
	// SCM_MAX_FD of the kernel.
	MaxNotificationFDs = 253

	// notifyLimit is how long a send may wait for a service manager that does
	// not read. systemd reads within milliseconds; while it executes itself
	// again it may take a second.
	notifyLimit = 2 * time.Second
)

// errNotifierClosed is what a Notifier says after Close.
var errNotifierClosed = errors.New("notifier is closed")

// Notifier tells the service manager about the service, as sd_notify(3)
// describes. Each method that sends makes exactly one datagram, so its
// assignments take effect together, and datagrams of one sender arrive in
// order. That a send succeeds says nothing about acceptance: systemd does not
// answer, and [Notifier.Barrier] only says that it has read.
//
// A send waits at most about two seconds for a manager that has stopped
// reading, and then fails with EAGAIN. All methods may be called at the same
// time, and on a nil *Notifier, where they do nothing and return nil.
type Notifier struct {
	address string // NOTIFY_SOCKET as it was written

	mu sync.RWMutex // held for reading while fd is used, for writing to close it
	fd int          // -1 after Close
}

// NewNotifier makes a notifier for the socket that NOTIFY_SOCKET names: an
// absolute path, or @NAME for the abstract namespace. It returns nil, nil if
// the variable is not set. Addresses of other kinds, such as vsock: of a
// virtual machine, are errors. Nothing is sent, and whether anybody listens is
// known only after the first send.
func NewNotifier(env Env) (*Notifier, error) {
	text := env(envNotifySocket)
	if text == "" {
		return nil, nil
	}
	switch {
	case strings.HasPrefix(text, "vsock"):
		return nil, fmt.Errorf("read %s=%q: VSOCK is not supported; run the service under a systemd of its own", envNotifySocket, text)
	case text[0] != '/' && text[0] != '@', len(text) < 2:
		return nil, fmt.Errorf("read %s=%q: neither an absolute path nor @NAME", envNotifySocket, text)
	case len(text) > maxPath:
		return nil, fmt.Errorf("read %s=%q: %d bytes, and a socket address has %d", envNotifySocket, text, len(text), maxPath)
	}
	return newNotifier(text, notifyLimit)
}

// newNotifier opens the socket. It is not connected, so that it goes on working
// when the manager replaces its own. It blocks, with a limit that the kernel
// keeps: a socket that is not connected cannot be polled for room in its
// receiver's queue.
func newNotifier(text string, limit time.Duration) (*Notifier, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket to notify %s: %w", text, err)
	}
	tv := unix.NsecToTimeval(limit.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
		_ = unix.Close(fd) // never used
		return nil, fmt.Errorf("limit the time to notify %s: %w", text, err)
	}
	return &Notifier{address: text, fd: fd}, nil
}

// Enabled reports whether there is a service manager to tell. It is false for
// nil.
func (n *Notifier) Enabled() bool { return n != nil }

// Close closes the socket, after sends under way have ended. Later calls of any
// method are errors, but for Close itself.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd < 0 {
		return nil
	}
	fd := n.fd
	n.fd = -1
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("close the socket to notify %s: %w", n.address, err)
	}
	return nil
}

// Send sends assignments ("KEY=value") as one datagram, for what has no method
// of its own. STATUS= is made one valid line and cut to fit; any other
// assignment with a line break or NUL, and a datagram over [MaxNotification]
// bytes, is an error, and then nothing is sent.
//
// Do not mix READY=1, RELOADING=1 and STOPPING=1: which of them wins depends on
// the version of systemd.
func (n *Notifier) Send(assignments ...string) error {
	return n.SendFDs(nil, assignments...)
}

// SendFDs is [Notifier.Send] with descriptors beside the datagram, at most
// [MaxNotificationFDs]. The caller keeps its own copies. systemd closes
// descriptors that no assignment explains (FDSTORE=1, MAINPIDFD=1, BARRIER=1).
func (n *Notifier) SendFDs(fds []int, assignments ...string) error {
	if n == nil {
		return nil
	}
	message, err := compose(assignments)
	if err != nil {
		return fmt.Errorf("notify %s: %w", n.address, err)
	}
	var rights []byte
	if len(fds) > MaxNotificationFDs {
		return fmt.Errorf("notify %s: %d descriptors in one message, and the kernel takes %d", n.address, len(fds), MaxNotificationFDs)
	}
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := n.transmit(message, rights); err != nil {
		return fmt.Errorf("notify %s: %w", n.address, err)
	}
	return nil
}

// transmit makes the one system call.
func (n *Notifier) transmit(message, rights []byte) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.fd < 0 {
		return errNotifierClosed
	}
	to := &unix.SockaddrUnix{Name: n.address} // one per call: encoding it writes into it
	for start := time.Now(); ; {
		_, err := unix.SendmsgN(n.fd, message, rights, to, unix.MSG_NOSIGNAL)
		// A signal ends a wait with a time limit even under SA_RESTART
		// (signal(7)), and the next one begins anew; the Go runtime sends
		// itself signals, so the whole must be limited too.
		if errors.Is(err, unix.EINTR) && time.Since(start) < notifyLimit {
			continue
		}
		return err
	}
}

// compose joins assignments to one message.
func compose(assignments []string) ([]byte, error) {
	if len(assignments) == 0 {
		return nil, errors.New("nothing to say")
	}
	room := MaxNotification - (len(assignments) - 1)
	status := -1
	for i, a := range assignments {
		if strings.HasPrefix(a, statusKey) && status < 0 {
			status = i
			continue
		}
		if err := checkAssignment(a); err != nil {
			return nil, err
		}
		room -= len(a)
	}
	if status >= 0 {
		room -= len(statusKey)
	}
	if room < 0 {
		return nil, fmt.Errorf("%d bytes too many; a notification has at most %d", -room, MaxNotification)
	}
	message := make([]byte, 0, MaxNotification-room)
	for i, a := range assignments {
		if i > 0 {
			message = append(message, '\n')
		}
		if i == status {
			message = append(message, statusKey...)
			a = oneLine(a[len(statusKey):], room)
		}
		message = append(message, a...)
	}
	return message, nil
}

func checkAssignment(a string) error {
	if strings.IndexByte(a, '=') < 1 {
		return fmt.Errorf("%q is not an assignment; write KEY=value", a)
	}
	if strings.ContainsAny(a, "\n\x00") {
		return fmt.Errorf("a line break or NUL in %q; send one assignment as one argument", a)
	}
	return nil
}
