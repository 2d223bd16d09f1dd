package activation

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// SocketError says that a passed descriptor is not a listening stream socket.
type SocketError struct {
	FD     int
	Name   string // of the unit, or as the caller called it
	Found  string // what the descriptor is, such as "a FIFO"
	Remedy string // what to change
	Err    error  // what the kernel said, or nil if it had nothing to say
}

// Error names the descriptor, what it is and what to change.
func (e *SocketError) Error() string {
	return fmt.Sprintf("take over fd %d (%s): it is %s, not a listening stream socket; %s", e.FD, e.Name, e.Found, e.Remedy)
}

// Unwrap returns the error of the kernel, such as EBADF for a descriptor that
// is closed, or nil.
func (e *SocketError) Unwrap() error { return e.Err }

// The remedies. A descriptor comes from a socket unit far more often than from
// a parent process, so they name the directive.
const (
	remedyStream    = "use ListenStream= in the socket unit"
	remedyFile      = "pass only sockets (see OpenFile= and FileDescriptorStoreMax= of the service), and as many as LISTEN_FDS says"
	remedyAccept    = "set Accept=no in the socket unit"
	remedyNotPassed = "whoever starts this process must keep it open and pass it on"
	remedyListen    = "whoever bound it must also call listen(2)"
	remedyFamily    = "use an IPv4, IPv6 or Unix address in ListenStream="
)

// inspect decides whether fd is a listening stream socket, without changing
// anything about it.
func inspect(fd int, name string) (Socket, error) {
	refuse := func(found, remedy string, err error) (Socket, error) {
		return Socket{}, &SocketError{FD: fd, Name: name, Found: found, Remedy: remedy, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return refuse("closed", remedyNotPassed, err)
	}
	if found, remedy := notSocket(st.Mode); found != "" {
		return refuse(found+target(fd), remedy, nil)
	}
	found, remedy, err := notListening(fd)
	if err != nil {
		return refuse("a socket that cannot be examined", remedyStream, err)
	}
	if found != "" {
		return refuse(found, remedy, nil)
	}
	network, address, err := localAddress(fd)
	if err != nil {
		return refuse("a socket without a readable address", remedyFamily, err)
	}
	return Socket{Name: name, FD: fd, Network: network, Address: address}, nil
}

// notSocket names a file that is not a socket, and gives "" for one that is.
func notSocket(mode uint32) (found, remedy string) {
	switch mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		return "", ""
	case unix.S_IFIFO:
		return "a FIFO or pipe", remedyStream
	case unix.S_IFREG:
		return "a regular file or memfd", remedyFile
	case unix.S_IFDIR:
		return "a directory", remedyFile
	case unix.S_IFCHR:
		return "a character device", remedyFile
	case unix.S_IFBLK:
		return "a block device", remedyFile
	}
	// epoll, eventfd, pidfd and their kin have no type at all.
	return "an anonymous kernel object", remedyFile
}

// target tells which file fd is, as the link in /proc does (proc_pid_fd(5)), for
// the end of a phrase. When fewer descriptors were passed than announced, the
// next number is one of the Go runtime's own (its epoll, or the cpu.max of the
// cgroup), and its name gives that away.
func target(fd int) string {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf)
	if err != nil || n == 0 {
		return "" // no /proc here; the message does without
	}
	return " (" + strconv.QuoteToGraphic(string(buf[:n])) + ")"
}

// notListening names a socket that is not a listening stream socket, and gives
// "" for one that is.
func notListening(fd int) (found, remedy string, err error) {
	var opt [4]int
	for i, o := range []int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_PROTOCOL, unix.SO_ACCEPTCONN} {
		if opt[i], err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, o); err != nil {
			return "", "", err
		}
	}
	domain, kind, protocol, listening := opt[0], opt[1], opt[2], opt[3] != 0

	family := ""
	switch domain {
	case unix.AF_INET:
		family = "IPv4"
	case unix.AF_INET6:
		family = "IPv6"
	case unix.AF_UNIX:
		family = "Unix"
	default:
		return fmt.Sprintf("a socket of address family %d", domain), remedyFamily, nil
	}
	switch kind {
	case unix.SOCK_STREAM:
	case unix.SOCK_DGRAM:
		return "a datagram socket (" + family + ")", remedyStream, nil
	case unix.SOCK_SEQPACKET:
		return "a sequential-packet socket (" + family + ")", remedyStream, nil
	default:
		return fmt.Sprintf("a socket of type %d (%s)", kind, family), remedyStream, nil
	}
	if domain != unix.AF_UNIX && protocol != unix.IPPROTO_TCP && protocol != unix.IPPROTO_MPTCP {
		return fmt.Sprintf("a socket of protocol %d (%s)", protocol, family), remedyStream, nil
	}
	if listening {
		return "", "", nil
	}
	if _, err := unix.Getpeername(fd); err == nil {
		return "a connected socket (" + family + ")", remedyAccept, nil
	}
	return "a stream socket that does not listen (" + family + ")", remedyListen, nil
}
