package dispatch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Channel is one end of a SOCK_SEQPACKET pair: messages both ways, whole or not
// at all, with descriptors beside them. It waits in the runtime's poller, so a
// goroutine that waits holds no thread.
//
// All methods may be called by several goroutines at a time.
type Channel struct {
	file    *os.File
	conn    syscall.RawConn
	timeout atomic.Int64 // of Send, in ns; 0: none
	closed  atomic.Bool

	sending   sync.Mutex // the file's write deadline is that of one Send
	receiving sync.Mutex
	buf       []byte // of the largest message received so far
}

// NewChannel makes a channel of a socket, which from then on belongs to it; it is
// closed also if NewChannel fails. The name says in errors who is at the other
// end. The socket becomes non-blocking for every process that holds this end of
// the pair, so each end must have one owner.
func NewChannel(fd int, name string) (*Channel, error) {
	if err := checkSeqpacket(fd); err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, fmt.Errorf("channel to %s on fd %d: %w", name, fd, err)
	}
	file := os.NewFile(uintptr(fd), name) // non-blocking already: goes to the poller
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("channel to %s on fd %d: %w", name, fd, err)
	}
	return &Channel{file: file, conn: conn}, nil
}

func checkSeqpacket(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	if kind != unix.SOCK_SEQPACKET {
		return fmt.Errorf("not a SOCK_SEQPACKET socket: %w", unix.EPROTOTYPE)
	}
	return unix.SetNonblock(fd, true)
}

// SetSendTimeout bounds the time that each later Send may wait for a peer that
// does not read, the time it waits for other senders included. 0, as at first, is
// no limit. A process that is stopped reads nothing: whoever must not wait for one
// sets a limit before the first Send, since one that began without a limit holds up
// those behind it.
func (c *Channel) SetSendTimeout(d time.Duration) { c.timeout.Store(int64(d)) }

// Send sends msg, with copies of the descriptors fds beside it, which stay the
// caller's. It waits while the peer's buffer is full. Messages of one goroutine
// arrive in the order in which they were sent.
//
// Errors (errors.Is): syscall.EPIPE if the peer is gone, os.ErrDeadlineExceeded
// if the time of SetSendTimeout is over, ErrTooLarge, os.ErrClosed after Close. In
// each case nothing was sent.
func (c *Channel) Send(msg Tuple, fds ...int) error {
	data, err := Marshal(msg)
	if err != nil {
		return c.wrap("send to", err)
	}
	if len(data) > MaxMessage || len(fds) > MaxFDs {
		return c.wrap("send to", fmt.Errorf("%d bytes, %d descriptors: %w", len(data), len(fds), ErrTooLarge))
	}
	var beside []byte
	if len(fds) > 0 {
		beside = unix.UnixRights(fds...)
	}
	var deadline time.Time
	if timeout := time.Duration(c.timeout.Load()); timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	// The deadline was taken before the lock: whoever holds it gives up no later.
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.wrap("send to", c.write(data, beside, deadline))
}

// write sends one datagram. The caller holds sending.
func (c *Channel) write(data, beside []byte, deadline time.Time) error {
	if err := c.file.SetWriteDeadline(deadline); err != nil {
		return err
	}
	var sendErr error
	err := c.conn.Write(func(fd uintptr) bool {
		for {
			sendErr = unix.Sendmsg(int(fd), data, beside, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if !errors.Is(sendErr, unix.EINTR) {
				return !errors.Is(sendErr, unix.EAGAIN)
			}
		}
	})
	if err != nil {
		return err
	}
	if errors.Is(sendErr, unix.ECONNRESET) {
		return unix.EPIPE // the peer left with messages unread: gone all the same
	}
	return sendErr
}

// Dup returns another descriptor of the channel's socket, close-on-exec, which is the
// caller's: for an image of this process that takes the channel over. The error may
// be EMFILE (errors.Is), or os.ErrClosed after Close.
func (c *Channel) Dup() (fd int, err error) {
	var dupErr error
	err = c.conn.Control(func(own uintptr) {
		fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return -1, c.wrap("copy the descriptor of", err)
	}
	return fd, nil
}

// Interrupt makes the Receive that waits, and every later one, return
// os.ErrDeadlineExceeded. Nothing is lost by it: a message that was not returned is
// still in the socket. Send works as before.
func (c *Channel) Interrupt() error {
	return c.wrap("interrupt", c.file.SetReadDeadline(time.Unix(1, 0))) // any time that has passed
}

// Resume takes Interrupt back.
func (c *Channel) Resume() error {
	return c.wrap("resume", c.file.SetReadDeadline(time.Time{}))
}

// CloseRead makes every later Send of the peer fail with syscall.EPIPE. What it has
// sent before can still be received, and then comes io.EOF: so one side can withdraw
// an offer and know whether the other had taken it.
func (c *Channel) CloseRead() error {
	var failed error
	err := c.conn.Control(func(fd uintptr) { failed = unix.Shutdown(int(fd), unix.SHUT_RD) })
	return c.wrap("close the receiving side of", errors.Join(err, failed))
}

// Close closes the channel. Calls of Send and Receive that wait return os.ErrClosed.
// The peer receives what was sent before, and then end of file.
func (c *Channel) Close() error {
	c.closed.Store(true)
	return c.wrap("close", c.file.Close())
}

// wrap says what was tried with which channel. The poller has an error of its own
// for a closed file, which errors.Is does not take for os.ErrClosed.
func (c *Channel) wrap(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.closed.Load() && doing != "close":
		err = os.ErrClosed
	}
	return fmt.Errorf("%s %s: %w", doing, c.file.Name(), err)
}
