package gateway

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the express path. They are raw: none of them can block (every
// descriptor here is non-blocking, epoll_pwait is asked to return at once), so
// telling the scheduler about them would only cost time. EINTR is repeated
// where the kernel may say it.

// poll looks at the epoll set without waiting.
func poll(epfd int, events []unix.EpollEvent) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	return count(n, errno)
}

func readFD(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return count(n, errno)
}

// writeFD uses sendto(2), because only that can be told not to raise SIGPIPE.
func writeFD(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
	return count(n, errno)
}

// sendHead is writeFD for bytes that others follow at once.
func sendHead(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT|unix.MSG_MORE, 0, 0)
	return count(n, errno)
}

// sendfileFD copies from a file in memory, which is why it cannot block.
func sendfileFD(to, from int, offset *int64, length int) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDFILE, uintptr(to), uintptr(from), uintptr(unsafe.Pointer(offset)), uintptr(length), 0, 0)
	return count(n, errno)
}

// acceptFD takes one connection. sa receives the client's address.
func acceptFD(fd int, sa *unix.RawSockaddrAny) (int, error) {
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(sa)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno == 0 && size < 2 {
		sa.Addr.Family = unix.AF_UNSPEC // an unnamed Unix client leaves sa untouched
	}
	return count(n, errno)
}

// peerFD asks who is at the other end of a connection.
func peerFD(fd int, sa *unix.RawSockaddrAny) error {
	size := uint32(unix.SizeofSockaddrAny)
	_, _, errno := syscall.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(&size)))
	_, err := count(0, errno)
	return err
}

func count(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys does not have.
type mmsghdr struct {
	unix.Msghdr
	length uint32
	_      [4]byte
}

// inbox is a set of buffers for recvmmsg(2), with room for one descriptor
// beside each message.
type inbox struct {
	headers []mmsghdr
	iovecs  []unix.Iovec
	buffers [][]byte
	control [][]byte
}

// oneFD is the room that the control message with one descriptor takes.
var oneFD = unix.CmsgSpace(4)

func newInbox(messages, size int) *inbox {
	in := &inbox{
		headers: make([]mmsghdr, messages),
		iovecs:  make([]unix.Iovec, messages),
		buffers: make([][]byte, messages),
		control: make([][]byte, messages),
	}
	for i := range in.headers {
		in.buffers[i] = make([]byte, size)
		in.control[i] = make([]byte, oneFD)
		in.iovecs[i].Base = &in.buffers[i][0]
		in.iovecs[i].SetLen(size)
		in.headers[i].Iov = &in.iovecs[i]
		in.headers[i].SetIovlen(1)
		in.headers[i].Control = &in.control[i][0]
	}
	return in
}

// receive takes what is there, at most as many messages as there are buffers.
func (in *inbox) receive(fd int) (int, error) {
	for i := range in.headers {
		in.headers[i].SetControllen(oneFD)
		in.headers[i].Flags = 0
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.headers[0])),
		uintptr(len(in.headers)), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC, 0, 0)
	return count(n, errno)
}

// message gives the i-th message of the last receive, its descriptor (-1 if
// none came) and whether the kernel had to cut it.
func (in *inbox) message(i int) (msg []byte, fd int, cut bool) {
	h := &in.headers[i]
	fd = onlyFD(in.control[i][:h.Controllen])
	return in.buffers[i][:h.length], fd, h.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0
}

// onlyFD returns the one descriptor of a control message, -1 if there is none.
func onlyFD(control []byte) int {
	if len(control) < unix.SizeofCmsghdr {
		return -1
	}
	if rights, err := unix.ParseSocketControlMessage(control); err == nil && len(rights) == 1 {
		if fds, err := unix.ParseUnixRights(&rights[0]); err == nil && len(fds) == 1 {
			return fds[0]
		}
	}
	return -1
}

// outbox collects messages for one sendmmsg(2).
type outbox struct {
	headers []mmsghdr
	iovecs  []unix.Iovec
	n       int
}

func newOutbox(messages int) *outbox {
	out := &outbox{
		headers: make([]mmsghdr, messages),
		iovecs:  make([]unix.Iovec, messages),
	}
	for i := range out.headers {
		out.headers[i].Iov = &out.iovecs[i]
		out.headers[i].SetIovlen(1)
	}
	return out
}

func (out *outbox) full() bool { return out.n == len(out.headers) }

// add appends a message. It must stay as it is until send has returned.
func (out *outbox) add(msg []byte) {
	out.iovecs[out.n].Base = &msg[0]
	out.iovecs[out.n].SetLen(len(msg))
	out.n++
}

// send gives the messages to fd and empties the outbox. It returns how many
// left, in order; the error belongs to the first that did not.
func (out *outbox) send(fd int) (sent int, err error) {
	total := out.n
	out.n = 0
	for sent < total {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&out.headers[sent])),
			uintptr(total-sent), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return sent, errno
		}
		sent += int(n)
	}
	return sent, nil
}
