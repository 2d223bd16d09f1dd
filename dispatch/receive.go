package dispatch

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// Receive waits for the next message. The descriptors that came with it are
// close-on-exec and belong to the caller; msg aliases nothing.
//
// It returns io.EOF itself, not wrapped, when the peer is gone and all it sent has
// been received, and an error that is os.ErrClosed after Close or
// os.ErrDeadlineExceeded after Interrupt. Any other error is
// about one message, which was dropped together with its descriptors: ErrTooLarge,
// ErrDescriptorsLost, or a *SyntaxError when it is not a tuple of the subset.
func (c *Channel) Receive() (msg Tuple, fds []int, err error) {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	data, fds, err := c.readMessage()
	if err == nil {
		msg, err = unmarshalTuple(data)
	}
	fds, err = c.received(fds, err)
	return msg, fds, err
}

// ReceiveRaw is Receive for messages that are large and many: msg is not decoded (see
// Reader) and is the channel's, until the next receiving. So there must be one receiver.
func (c *Channel) ReceiveRaw() (msg []byte, fds []int, err error) {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	msg, fds, err = c.readMessage()
	fds, err = c.received(fds, err)
	return msg, fds, err
}

// received keeps no descriptor of a message that came with an error.
func (c *Channel) received(fds []int, err error) ([]int, error) {
	switch {
	case err == nil:
		return fds, nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	}
	closeAll(fds)
	return nil, c.wrap("receive from", err)
}

func unmarshalTuple(data []byte) (Tuple, error) {
	v, err := Unmarshal(data)
	if err != nil {
		return nil, err
	}
	msg, ok := v.(Tuple)
	if !ok {
		return nil, &SyntaxError{Offset: 0, What: "a message that is not a tuple"}
	}
	return msg, nil
}

// readMessage receives one datagram. Descriptors that it returns with an error
// must be closed, too.
func (c *Channel) readMessage() (data []byte, fds []int, err error) {
	size, err := c.waitForSize()
	switch {
	case err != nil:
		return nil, nil, err
	case size > MaxMessage:
		if err := c.drop(); err != nil {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	case size > len(c.buf):
		c.buf = make([]byte, size)
	}
	beside := make([]byte, unix.CmsgSpace(MaxFDs*4))
	n, besideLen, flags, err := c.recvmsg(c.buf, beside, 0)
	switch {
	case err != nil:
		return nil, nil, err
	case n == 0: // end of file; an empty message is none either
		return nil, nil, io.EOF
	}
	if fds, err = descriptors(beside[:besideLen]); err != nil {
		return nil, fds, err
	}
	switch {
	case flags&unix.MSG_TRUNC != 0:
		return nil, fds, fmt.Errorf("cut at %d bytes: %w", n, ErrTooLarge)
	case flags&unix.MSG_CTRUNC != 0:
		return nil, fds, fmt.Errorf("%d arrived: %w", len(fds), ErrDescriptorsLost)
	}
	return c.buf[:n], fds, nil
}

// waitForSize waits for a message and returns its size without taking it, so that
// the buffer of a channel is as large as its messages are and not MaxMessage: there
// is a channel per worker. MSG_TRUNC makes the kernel return the whole size.
func (c *Channel) waitForSize() (int, error) {
	n, _, _, err := c.recvmsg(nil, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
	return n, err
}

// drop takes a message without its content. The kernel closes what descriptors
// came with it, because there is no place for them.
func (c *Channel) drop() error {
	_, _, _, err := c.recvmsg(nil, nil, 0)
	return err
}

// recvmsg waits for a message in the poller. A peer that left with messages unread
// shows as ECONNRESET once, ahead of the messages that it had sent; those are
// still to be had, and then end of file.
func (c *Channel) recvmsg(data, beside []byte, flags int) (n, besideLen, got int, err error) {
	var callErr error
	err = c.conn.Read(func(fd uintptr) bool {
		for {
			n, besideLen, got, _, callErr = unix.Recvmsg(int(fd), data, beside, flags|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(callErr, unix.EINTR) && !errors.Is(callErr, unix.ECONNRESET) {
				return !errors.Is(callErr, unix.EAGAIN)
			}
		}
	})
	if err == nil {
		err = callErr
	}
	return n, besideLen, got, err
}

// descriptors returns the descriptors of a control part. With an error come those
// found so far.
func descriptors(beside []byte) ([]int, error) {
	if len(beside) == 0 {
		return nil, nil
	}
	parts, err := unix.ParseSocketControlMessage(beside)
	if err != nil {
		return nil, fmt.Errorf("parse the control part of a message: %w", err)
	}
	var fds []int
	for i := range parts {
		if parts[i].Header.Level != unix.SOL_SOCKET || parts[i].Header.Type != unix.SCM_RIGHTS {
			continue // credentials, if somebody switched them on: nothing to own
		}
		some, err := unix.ParseUnixRights(&parts[i])
		if err != nil {
			return fds, fmt.Errorf("parse the descriptors of a message: %w", err)
		}
		fds = append(fds, some...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // not ours to keep; nothing was written through it
	}
}
