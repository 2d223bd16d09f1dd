package dispatch

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// MaxMessage is the size in bytes of the largest message.
	MaxMessage = 128 << 10

	// MaxFDs is the largest number of descriptors beside one message. The kernel
	// would take 253 (SCM_MAX_FD, unix(7)).
	MaxFDs = 64
)

// SocketPair returns two connected SOCK_SEQPACKET sockets of the family AF_UNIX,
// blocking and close-on-exec: a channel, a lane, a report or a reply socket before
// it is anybody's. The caller owns both. Their send buffers have room for a
// message of MaxMessage even if the system's default is smaller.
func SocketPair() (a, b int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socketpair: %w", err)
	}
	for _, fd := range fds {
		if err := growSendBuffer(fd); err != nil {
			_ = unix.Close(fds[0]) // nothing was written
			_ = unix.Close(fds[1])
			return -1, -1, fmt.Errorf("size the send buffer of a socketpair: %w", err)
		}
	}
	return fds[0], fds[1], nil
}

// growSendBuffer makes room for one message that is being read and one that
// waits. The kernel doubles what it is asked for, to cover its own bookkeeping
// (socket(7)), and reports the double.
func growSendBuffer(fd int) error {
	size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil || size >= 2*MaxMessage {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, MaxMessage)
}
