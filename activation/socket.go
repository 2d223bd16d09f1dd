package activation

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socket is one listening stream socket. It is plain data, so that it survives
// being written down for the next image of the process; whoever holds it owns
// FD. It is a value: copies name the same descriptor, and [Socket.Close] is for
// one of them.
type Socket struct {
	// Name is FileDescriptorName= of the socket unit ("unknown" if systemd gave
	// none), or for sockets we bound the address as it was written. Names are
	// not unique: one unit may have several sockets.
	Name string

	// FD is the descriptor: close-on-exec and non-blocking.
	FD int

	// Network is "tcp" or "unix".
	Network string

	// Address is HOST:PORT as bound (with the real port where 0 was asked for),
	// an absolute path, or @NAME for the abstract namespace.
	Address string

	// Owned is true if we bound the socket, and false if another process did
	// and passed it on.
	Owned bool

	// File identifies the file of a Unix socket that we bound; it is zero for
	// all others. It is what lets Close remove that file and no other.
	File FileID
}

// FileID is what makes a file the same file. The zero value names none.
type FileID struct {
	Device, Inode uint64
}

// Close closes the descriptor. If the socket is Owned and its file is still the
// one that we made, the file is removed first.
//
// The order matters. The kernel keeps the inode of a bound socket until the
// socket is closed, so while we hold it no other file can have the same inode
// number, and the comparison cannot be deceived.
//
// Other processes that hold the socket can go on accepting, but at a path that
// was removed no new client finds them.
func (s Socket) Close() error {
	rmErr := s.removeFile()
	if err := unix.Close(s.FD); err != nil {
		return fmt.Errorf("close fd %d (%s): %w", s.FD, s.Name, err)
	}
	return rmErr
}

// removeFile removes the socket's file if it is ours.
func (s Socket) removeFile() error {
	if !s.Owned || s.File == (FileID{}) {
		return nil
	}
	id, _, err := identify(s.Address)
	if errors.Is(err, unix.ENOENT) {
		return nil // somebody was tidier than we are
	}
	if err != nil {
		return fmt.Errorf("look at %s before removing it: %w", s.Address, err)
	}
	if id != s.File {
		return nil // a successor bound the path again; it is not ours any more
	}
	if err := unix.Unlink(s.Address); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", s.Address, err)
	}
	return nil
}

// identify returns the identity and mode of the file at path without following
// a symbolic link. The error is a bare errno.
func identify(path string) (FileID, uint32, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return FileID{}, 0, err
	}
	return FileID{Device: st.Dev, Inode: st.Ino}, st.Mode, nil
}

// localAddress returns the network and address that a stream socket is bound to.
func localAddress(fd int) (network, address string, err error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", "", err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return "tcp", netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String(), nil
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return "tcp", netip.AddrPortFrom(ip, uint16(sa.Port)).String(), nil
	case *unix.SockaddrUnix:
		return "unix", sa.Name, nil
	}
	return "", "", unix.EAFNOSUPPORT
}

// own makes fd close-on-exec and non-blocking. The first belongs to our
// descriptor; the second to the open file that systemd and others share, which
// is why it is set once, here, and never cleared.
func own(fd int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return err
	}
	return unix.SetNonblock(fd, true)
}
