package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeManager is the receiving side of sd_notify: what systemd does with
// NOTIFY_SOCKET, without systemd.
type fakeManager struct {
	conn     *net.UnixConn
	address  string // for NOTIFY_SOCKET
	messages chan message
}

// A message is one datagram.
type message struct {
	text string
	pid  int32 // of the sender, by the kernel
	fds  []int
}

// manage starts a fake manager at address, a path or @NAME, for the length of
// the test.
func manage(t *testing.T, address string) *fakeManager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}), err)
	if err != nil {
		t.Fatal(err)
	}
	m := &fakeManager{conn: conn, address: address, messages: make(chan message, 1000)}
	done := make(chan error, 1)
	go func() { done <- m.receive() }()
	t.Cleanup(func() {
		_ = conn.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		close(m.messages)
		for left := range m.messages {
			t.Errorf("nobody expected %q", left.text)
			closeAll(left.fds)
		}
	})
	return m
}

// receive reads datagrams as systemd does: at most 4096 bytes (a longer one is
// an error here, and silence there), and a barrier's descriptor is closed once
// all that came before has been dealt with.
func (m *fakeManager) receive() error {
	buf, oob := make([]byte, MaxNotification+1), make([]byte, 4096)
	for {
		n, oobn, flags, _, err := m.conn.ReadMsgUnix(buf, oob)
		if err != nil {
			return err
		}
		if n > MaxNotification || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			return fmt.Errorf("a datagram of %d bytes, flags %#x", n, flags)
		}
		msg := message{text: string(buf[:n])}
		if err := msg.unpack(oob[:oobn]); err != nil {
			return err
		}
		if msg.text == "BARRIER=1" && len(msg.fds) == 1 {
			closeAll(msg.fds)
			msg.fds = nil
		}
		m.messages <- msg
	}
}

func (msg *message) unpack(oob []byte) error {
	parts, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for _, part := range parts {
		switch part.Header.Type {
		case unix.SCM_CREDENTIALS:
			cred, err := unix.ParseUnixCredentials(&part)
			if err != nil {
				return err
			}
			msg.pid = cred.Pid
		case unix.SCM_RIGHTS:
			fds, err := unix.ParseUnixRights(&part)
			if err != nil {
				return err
			}
			msg.fds = append(msg.fds, fds...)
		}
	}
	return nil
}

// next is the next datagram.
func (m *fakeManager) next(t *testing.T) message {
	t.Helper()
	select {
	case msg := <-m.messages:
		return msg
	case <-time.After(patience):
		t.Fatal("no notification came")
		return message{}
	}
}

// expects fails the test unless the next datagrams are exactly these, from this
// process and without descriptors.
func (m *fakeManager) expects(t *testing.T, texts ...string) {
	t.Helper()
	for _, want := range texts {
		got := m.next(t)
		if got.text != want || int(got.pid) != os.Getpid() || len(got.fds) != 0 {
			t.Errorf("got %q from %d with descriptors %v, want %q from %d", got.text, got.pid, got.fds, want, os.Getpid())
			closeAll(got.fds)
		}
	}
}

// notifier makes a notifier for m.
func (m *fakeManager) notifier(t *testing.T) *Notifier {
	t.Helper()
	n, err := NewNotifier(env("NOTIFY_SOCKET=" + m.address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// assignments are the lines of a datagram.
func (msg message) assignments() []string {
	return slices.Collect(strings.SplitSeq(msg.text, "\n"))
}
