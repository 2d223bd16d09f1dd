package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// listening makes a listening socket and returns it as systemd would hold it.
func listening(t *testing.T, network, address string) (file *os.File, at string) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // like systemd, whose socket units outlive services
	}
	file, err = ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	at = ln.Addr().String()
	_ = ln.Close() // file is another descriptor of the socket
	t.Cleanup(func() { _ = file.Close() })
	return file, at
}

// nonblocking returns another descriptor of a socket, whose Fd leaves it non-blocking:
// that of a file which Go itself made so makes it blocking again.
func nonblocking(t *testing.T, file *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(fd), file.Name())
	t.Cleanup(func() { _ = other.Close() })
	return other
}

// ask makes one request on a connection of its own.
func ask(t *testing.T, network, address, path, body string) {
	t.Helper()
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }() // the answer was read
	speak(t, conn).ask("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, body)
}

func TestPassedSocketsAreServed(t *testing.T) {
	t.Parallel()
	tcp, tcpAt := listening(t, "tcp", "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "s")
	local, _ := listening(t, "unix", path)
	s := serve(t, launch{app: "plain", sockets: []*os.File{tcp, local}, names: "web:local"})
	if line := s.stderr.await(t, 1, "listening:", "listener=web"); !strings.Contains(line, "from=systemd") {
		t.Errorf("got %q, want the name of the unit and from=systemd", line)
	}
	ask(t, "tcp", tcpAt, "/", "hello")
	ask(t, "unix", path, "/", "hello")
	ask(t, "unix", path, "/env/LISTEN_FDS", "none")
	ask(t, "unix", path, "/env/LISTEN_PID", "none")
	ask(t, "unix", path, "/env/LISTEN_FDNAMES", "none")
	if n := s.stderr.count("listening:"); n != 2 {
		t.Errorf("%d listeners, want the 2 that were passed", n)
	}
	s.stop()
	// They are systemd's: who comes now waits for the next start.
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file of the passed socket: %v", err)
	}
	next := serve(t, launch{app: "plain:app", sockets: []*os.File{tcp, local}})
	ask(t, "tcp", tcpAt, "/", "app")
	ask(t, "unix", path, "/", "app")
	next.stop()
}

// Gunicorn ignores --bind in silence when sockets are passed.
func TestPassedSocketsAndBindTogether(t *testing.T) {
	t.Parallel()
	passed, at := listening(t, "tcp", "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "s")
	s := serve(t, launch{app: "plain", sockets: []*os.File{passed}, bind: []string{"unix:" + path, "127.0.0.1:0"}})
	ask(t, "tcp", at, "/", "hello")
	ask(t, "unix", path, "/", "hello")
	network, bound := s.listener(2)
	ask(t, network, bound, "/", "hello")
	s.stop()
}

// A connection that came before the service was there is answered by it.
func TestAConnectionWaitsForTheService(t *testing.T) {
	t.Parallel()
	passed, at := listening(t, "tcp", "127.0.0.1:0")
	conn, err := net.DialTimeout("tcp", at, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the answer was read
	c := speak(t, conn)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	s := serve(t, launch{app: "plain", sockets: []*os.File{passed}})
	c.wants("GET", 200, "hello")
	s.stop()
}

func TestADescriptorIsServedByNumber(t *testing.T) {
	t.Parallel()
	passed, at := listening(t, "tcp", "127.0.0.1:0")
	// Without LISTEN_FDS: a parent that just leaves the socket open.
	s := serve(t, launch{app: "plain", sockets: []*os.File{passed}, bind: []string{"fd://3"}, env: []string{"LISTEN_FDS="}})
	ask(t, "tcp", at, "/", "hello")
	s.stop()
}

// The same socket by systemd's way and by number is one socket, not two.
func TestADescriptorThatIsAlsoNamedByNumber(t *testing.T) {
	t.Parallel()
	passed, at := listening(t, "tcp", "127.0.0.1:0")
	s := serve(t, launch{app: "plain", sockets: []*os.File{passed}, bind: []string{"fd://3"}})
	ask(t, "tcp", at, "/", "hello")
	if n := s.stderr.count("listening:"); n != 1 {
		t.Errorf("%d listeners, want 1", n)
	}
	s.stop()
}

func TestADescriptorThatIsNoListeningSocketIsRefused(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // empty
	datagram, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := datagram.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packets.Close(); _ = datagram.Close() }() // nothing is sent
	good, _ := listening(t, "tcp", "127.0.0.1:0")
	for name, sockets := range map[string][]*os.File{"file": {good, file}, "datagram": {good, packets}} {
		s := refused(t, launch{app: "plain", sockets: sockets, names: "web:" + name}, 1)
		s.stderr.await(t, 1, "indrik: ", "fd 4", name)
	}
	s := refused(t, launch{app: "plain", bind: []string{"fd://99"}}, 1)
	s.stderr.await(t, 1, "indrik: ", "99")
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	t.Parallel()
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }() // nobody connects
	path := filepath.Join(t.TempDir(), "s")
	local, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = local.Close() }() // nobody connects
	for _, address := range []string{held.Addr().String(), "unix:" + path} {
		s := refused(t, launch{app: "plain", bind: []string{address}}, 1)
		s.stderr.await(t, 1, "indrik: ", strings.TrimPrefix(address, "unix:"), "address already in use")
	}
	if _, err := net.Dial("unix", path); err != nil {
		t.Errorf("the other's socket afterwards: %v", err)
	}
}

func TestAnAddressWithoutPermissionIsNamed(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may bind every port")
	}
	s := refused(t, launch{app: "plain", bind: []string{"127.0.0.1:1"}}, 1)
	s.stderr.await(t, 1, "indrik: ", "127.0.0.1:1", "permission denied")
}

// A file left by a killed process must not keep the next from starting.
func TestAStaleSocketFileIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	stale, _ := listening(t, "unix", path)
	_ = stale.Close() // the file stays
	s := serve(t, launch{app: "plain", bind: []string{"unix:" + path}})
	s.wants("/", 200, "hello")
	s.stop()
}

// A mold that runs a configuration file is the first process that is started. It, and so the workers, must have
// nothing that is systemd's: neither its variables nor a descriptor of a passed socket, which would stay
// open after systemd has closed it.
func TestAConfigurationInPythonHasNothingOfSystemds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gunicorn.conf.py")
	if err := os.WriteFile(path, []byte("loglevel = 'info'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var passed []*os.File
	inodes := map[string]bool{}
	var at string
	for range 8 { // more than the descriptors that a mold is given, which take the first places
		var file *os.File
		file, at = listening(t, "tcp", "127.0.0.1:0")
		passed = append(passed, file)
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		inodes[fmt.Sprintf("socket:[%d]", info.Sys().(*syscall.Stat_t).Ino)] = true
	}
	s := serve(t, launch{app: "plain", args: []string{"-c", path}, sockets: passed})
	for _, name := range []string{"LISTEN_FDS", "LISTEN_PID"} {
		ask(t, "tcp", at, "/env/"+name, "none")
	}
	for _, role := range []string{"mold", "worker"} {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.the(role)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && inodes[to] {
				t.Errorf("the %s has a passed socket as %s", role, file)
			}
		}
	}
	s.stop()
}

// listens returns the inode of the socket by which a process listens on TCP, 0 if
// it does not. The socket itself is asked: a table of the kernel's that others
// change while it is read may lack a line.
func listens(t *testing.T, pid int) (inode uint64) {
	t.Helper()
	for _, fd := range listeners(t, pid) {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			t.Fatal(err)
		}
		if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && domain == unix.AF_INET {
			inode = st.Ino
		}
	}
	return inode
}

// listeners returns descriptors, until the end of the test, of the sockets at which
// a process accepts connections.
func listeners(t *testing.T, pid int) (found []int) {
	t.Helper()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(pidfd) }()                     // nothing was written
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // the pattern is a good one
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || !strings.HasPrefix(to, "socket:") {
			continue // closed meanwhile, or no socket
		}
		number, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.PidfdGetfd(pidfd, number, 0)
		if err != nil {
			continue // closed meanwhile
		}
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
			_ = unix.Close(fd)
			continue
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		found = append(found, fd)
	}
	return found
}
