package activation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxStoreName is the longest FDNAME= in bytes.
const maxStoreName = 255

// barrierLimit bounds a [Notifier.Barrier] whose context has no deadline.
const barrierLimit = 30 * time.Second

// Store puts descriptors into the service's descriptor store, under one name
// and in one datagram; the caller keeps its own copies. The next start of the
// service finds them among [Descriptors], after the sockets, in no particular
// order. It needs FileDescriptorStoreMax= in the unit; without it, systemd
// drops them and does not say so.
//
// A name is 1 to 255 bytes of ASCII without control characters and colons.
// Storing again under a name adds to what is there: to replace, [Notifier.Remove]
// first. systemd itself removes a descriptor whose other side hung up, such as
// a pipe whose writer has gone; to keep it, use [Notifier.SendFDs] with
// FDPOLL=0. Sockets from socket units need not be stored, and would come back
// twice.
func (n *Notifier) Store(name string, fds ...int) error {
	if n == nil {
		return nil
	}
	if err := checkStoreName(name); err != nil {
		return err
	}
	if len(fds) == 0 {
		return fmt.Errorf("store descriptors as %q: none given", name)
	}
	return n.SendFDs(fds, "FDSTORE=1", "FDNAME="+name)
}

// Remove removes all descriptors of this name from the store (since systemd
// 236).
func (n *Notifier) Remove(name string) error {
	if n == nil {
		return nil
	}
	if err := checkStoreName(name); err != nil {
		return err
	}
	return n.Send("FDSTOREREMOVE=1", "FDNAME="+name)
}

// checkStoreName refuses what systemd would quietly replace by "stored".
func checkStoreName(name string) error {
	if len(name) < 1 || len(name) > maxStoreName {
		return fmt.Errorf("name %q in the descriptor store: %d bytes; use 1 to %d", name, len(name), maxStoreName)
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == ':' {
			return fmt.Errorf("name %q in the descriptor store: byte %#02x; use printable ASCII without colons", name, c)
		}
	}
	return nil
}

// Barrier waits until the service manager has read everything that this process
// sent before (sd_notify_barrier(3), since systemd 246). It ends with ctx, and
// after 30 seconds if ctx has no deadline.
//
// Under NotifyAccess=main it is not needed: systemd knows the sender's process
// from the datagram. With NotifyAccess=all a process that exits right after it
// sent may be forgotten before it is looked up.
func (n *Notifier) Barrier(ctx context.Context) error {
	if n == nil {
		return nil
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, barrierLimit)
		defer cancel()
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("make a barrier for %s: %w", n.address, err)
	}
	read := os.NewFile(uintptr(ends[0]), "barrier")
	defer func() { _ = read.Close() }() // read side; nothing to lose
	err := n.SendFDs(ends[1:], "BARRIER=1")
	_ = unix.Close(ends[1]) // the manager's copy is the only one now
	if err != nil {
		return err
	}
	// A deadline in the past ends a read under way.
	stop := context.AfterFunc(ctx, func() { _ = read.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	switch _, err = read.Read(make([]byte, 1)); {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = context.Cause(ctx)
	}
	return fmt.Errorf("wait for %s to pass the barrier: %w", n.address, err)
}
