package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each kind of descriptor that systemd or a parent can pass by mistake is
// refused by its name, with a remedy, and is left exactly as it was.
func TestRefusalsNameTheKind(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	for _, c := range []struct {
		found string
		make  func(t *testing.T) int
	}{
		{"a datagram socket (IPv4)", open(unix.AF_INET, unix.SOCK_DGRAM, 0)},
		{"a datagram socket (Unix)", open(unix.AF_UNIX, unix.SOCK_DGRAM, 0)},
		{"a sequential-packet socket (Unix)", open(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)},
		{"a stream socket that does not listen (IPv4)", open(unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"a stream socket that does not listen (Unix)", open(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"a socket of address family 16", open(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)},
		{"a connected socket (Unix)", func(t *testing.T) int {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(pair[1]) })
			return pair[0]
		}},
		{"a connected socket (IPv4)", func(t *testing.T) int {
			conn, err := net.Dial("tcp", mustListen(t, "127.0.0.1:0", ListenOptions{}).Address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			f, err := conn.(*net.TCPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			return dup(t, int(f.Fd()))
		}},
		{"a FIFO or pipe", func(t *testing.T) int {
			path := in(dir, "fifo")
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			return openPath(t, path, unix.O_RDWR)
		}},
		{"a regular file or memfd", func(t *testing.T) int {
			fd, err := unix.MemfdCreate("state", 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}},
		{"a regular file or memfd", func(t *testing.T) int {
			return openPath(t, in(dir, "file"), unix.O_CREAT|unix.O_RDWR)
		}},
		{"a directory", func(t *testing.T) int { return openPath(t, dir, unix.O_RDONLY) }},
		{"a character device", func(t *testing.T) int { return openPath(t, "/dev/null", unix.O_RDWR) }},
		{"an anonymous kernel object", func(t *testing.T) int {
			fd, err := unix.Eventfd(0, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}},
	} {
		fd := c.make(t)
		refused(t, fd, c.found)
		if err := unix.Close(fd); err != nil {
			t.Errorf("%s: it was closed by the refusal", c.found)
		}
	}
}

func refused(t *testing.T, fd int, found string) {
	t.Helper()
	before, err := flagsOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	_, err = FromFD(fd, "web")
	var refusal *SocketError
	if !errors.As(err, &refusal) {
		t.Errorf("%s: error is %v, want a SocketError", found, err)
		return
	}
	if refusal.FD != fd || refusal.Name != "web" || refusal.Remedy == "" || !strings.HasPrefix(refusal.Found, found) {
		t.Errorf("refusal is %+v, want it to name %s", refusal, found)
	}
	if want := fmt.Sprintf("take over fd %d (web): it is %s", fd, found); !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %q, want it to begin %q", err, want)
	}
	after, err := flagsOf(fd)
	if err != nil || after != before {
		t.Errorf("%s: flags were %+v, are %+v (%v)", found, before, after, err)
	}
}

func TestClosedDescriptorIsRefused(t *testing.T) {
	t.Parallel()
	// A number no process reaches, so that no test running beside this one
	// opens it.
	_, err := FromFD(maxOpen+7, "web")
	if !errors.Is(err, unix.EBADF) {
		t.Errorf("error is %v, want EBADF inside", err)
	}
	contains(t, err, "it is closed", remedyNotPassed)
}

func TestFromFDTakesOver(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "127.0.0.1:0", ListenOptions{})
	twin := dup(t, s.FD)
	if err := unix.SetNonblock(twin, false); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(twin), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	got, err := Listen(t.Context(), mustBind(t, fmt.Sprintf("fd://%d", twin)), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := Socket{Name: fmt.Sprintf("fd://%d", twin), FD: twin, Network: "tcp", Address: s.Address}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if f, err := flagsOf(twin); err != nil || f != (flags{true, true}) {
		t.Errorf("flags are %+v (%v), want close-on-exec and non-blocking", f, err)
	}
	if err := got.Close(); err != nil {
		t.Error(err)
	}
	answers(t, "tcp", s.Address) // the other holder listens on
}

// Closing what systemd owns must leave its path alone: the next client starts
// the service again through it.
func TestInheritedPathIsNotRemoved(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	s := mustListen(t, "unix:"+path, ListenOptions{})
	passed, err := FromFD(dup(t, s.FD), "http")
	if err != nil {
		t.Fatal(err)
	}
	passed.File = s.File // even if somebody noted which file it is
	if err := passed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	answers(t, "unix", path)
}

// Other protocols than TCP have stream sockets that listen: one serves HTTP as
// well, the other does not speak it.
func TestProtocols(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		protocol int
		refusal  string
	}{
		{"MPTCP", unix.IPPROTO_MPTCP, ""},
		{"SCTP", unix.IPPROTO_SCTP, "a socket of protocol 132 (IPv4)"},
	} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, c.protocol)
		if err != nil {
			t.Logf("%s is not tested, this kernel has none: %v", c.name, err)
			continue
		}
		loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
		if err := errors.Join(unix.Bind(fd, loopback), unix.Listen(fd, 1)); err != nil {
			t.Fatal(err)
		}
		if c.refusal != "" {
			refused(t, fd, c.refusal)
		} else if s, err := FromFD(fd, "web"); err != nil || s.Network != "tcp" {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
		_ = unix.Close(fd)
	}
}

func open(family, kind, protocol int) func(t *testing.T) int {
	return func(t *testing.T) int {
		t.Helper()
		fd, err := unix.Socket(family, kind, protocol)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
}

func openPath(t *testing.T, path string, mode int) int {
	t.Helper()
	fd, err := unix.Open(path, mode, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
