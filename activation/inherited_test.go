package activation

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Without this, a service with two socket units could not tell its admin port
// from its public one.
func TestSeveralSocketsArriveWithTheirNames(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	bound := []Socket{
		mustListen(t, "127.0.0.1:0", ListenOptions{}),
		mustListen(t, "unix:"+in(dir, "web.sock"), ListenOptions{}),
		mustListen(t, "[::1]:0", ListenOptions{}),
		mustListen(t, "unix:@"+in(dir, "abstract"), ListenOptions{}),
	}
	var files []*os.File
	for _, s := range bound {
		files = append(files, fileOf(t, s))
	}
	got := activate(t, files, "LISTEN_FDS=4", "LISTEN_FDNAMES=http:admin:http:metrics")
	if got.Error != "" {
		t.Fatalf("take over: %s", got.Error)
	}
	for i, name := range []string{"http", "admin", "http", "metrics"} {
		want := Socket{Name: name, FD: firstFD + i, Network: bound[i].Network, Address: bound[i].Address}
		if got.Sockets[i] != want {
			t.Errorf("socket %d is %+v, want %+v", i, got.Sockets[i], want)
		}
		if got.Flags[i] != (flags{true, true}) {
			t.Errorf("socket %d: %+v, want close-on-exec and non-blocking", i, got.Flags[i])
		}
	}
}

// A unit without NonBlocking=yes passes blocking sockets; an accept that lost
// the race for a connection would then hang a whole event loop.
func TestBlockingSocketBecomesNonBlocking(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "127.0.0.1:0", ListenOptions{})
	if err := unix.SetNonblock(s.FD, false); err != nil {
		t.Fatal(err)
	}
	got := activate(t, []*os.File{fileOf(t, s)}, "LISTEN_FDS=1")
	if want := []flags{{true, true}}; !slices.Equal(got.Flags, want) {
		t.Errorf("flags are %+v, want %+v (error: %s)", got.Flags, want, got.Error)
	}
	if got.Error == "" && got.Sockets[0].Name != unnamed {
		t.Errorf("name is %q, want %q", got.Sockets[0].Name, unnamed)
	}
}

// Serving on half of the addresses is worse than not starting, and a refused
// descriptor may belong to somebody who wants it as it was.
func TestOneBadDescriptorRefusesAll(t *testing.T) {
	t.Parallel()
	good := mustListen(t, "127.0.0.1:0", ListenOptions{})
	if err := unix.SetNonblock(good.FD, false); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = read.Close(), write.Close() })
	got := activate(t, []*os.File{fileOf(t, good), read}, "LISTEN_FDS=2", "LISTEN_FDNAMES=http:log")
	if got.Sockets != nil {
		t.Errorf("took over %+v", got.Sockets)
	}
	before, after := "take over fd 4 (log): it is a FIFO or pipe (\"pipe:[", "]\"), not a listening stream socket; use ListenStream= in the socket unit"
	if !strings.HasPrefix(got.Error, before) || !strings.HasSuffix(got.Error, after) {
		t.Errorf("error is %q, want %q…%q", got.Error, before, after)
	}
	if len(got.Flags) != 2 || got.Flags[0] != (flags{}) || got.Flags[1].CloseOnExec {
		t.Errorf("flags are %+v, want them untouched", got.Flags)
	}
}

// LISTEN_FDS with more than was passed happens when a wrapper closes
// descriptors but keeps the environment.
func TestMissingDescriptorIsNamed(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "127.0.0.1:0", ListenOptions{})
	got := activate(t, []*os.File{fileOf(t, s)}, "LISTEN_FDS=2")
	if !strings.HasPrefix(got.Error, "take over fd 4 (unknown): it is ") || !strings.Contains(got.Error, "; ") {
		t.Errorf("error is %q", got.Error)
	}
}

// A shell that forks instead of executing leaves LISTEN_PID of the shell.
func TestSocketsOfAnotherProcessAreNotOurs(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "127.0.0.1:0", ListenOptions{})
	if _, known := pidfdID(os.Getpid()); !known {
		t.Log("no pidfd inode numbers here: LISTEN_PIDFDID is not compared")
	}
	for _, c := range []struct {
		pid  string
		want int
	}{{"", 1}, {"wrong", 0}, {"pidfdid", 1}, {"bad pidfdid", 0}} {
		if _, known := pidfdID(os.Getpid()); !known && c.pid == "bad pidfdid" {
			continue
		}
		got := activate(t, []*os.File{fileOf(t, s)}, "LISTEN_FDS=1", pidEnv+"="+c.pid)
		if got.Error != "" || len(got.Sockets) != c.want {
			t.Errorf("%q: %d sockets, error %q; want %d and none", c.pid, len(got.Sockets), got.Error, c.want)
		}
	}
}

func TestEnvironmentThatMakesNoSense(t *testing.T) {
	t.Parallel()
	const pid = 4711
	for _, c := range []struct {
		entries []string
		want    string // of the error; "" means nothing was passed
	}{
		{nil, ""},
		{[]string{"LISTEN_FDS=1"}, ""},
		{[]string{"LISTEN_PID=4711"}, ""},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=0"}, ""},
		{[]string{"LISTEN_PID=4712", "LISTEN_FDS=nonsense"}, ""},
		{[]string{"LISTEN_PID=self", "LISTEN_FDS=1"}, `LISTEN_PID="self": not a process id`},
		{[]string{"LISTEN_PID=0", "LISTEN_FDS=1"}, `LISTEN_PID="0"`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=-1"}, `LISTEN_FDS="-1": not a number of descriptors`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=one"}, `LISTEN_FDS="one"`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=1 "}, `LISTEN_FDS="1 "`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=2147483647"}, `not a number`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=2000000000"}, `more descriptors than a process can hold`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=2", "LISTEN_FDNAMES=a"}, `1 names for 2 descriptors`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=1", "LISTEN_FDNAMES=a:b"}, `2 names for 1 descriptors`},
		{[]string{"LISTEN_PID=4711", "LISTEN_FDS=1", "LISTEN_PIDFDID=x"}, `LISTEN_PIDFDID="x"`},
	} {
		got, err := Descriptors(env(c.entries...), pid)
		switch {
		case c.want == "" && (got != nil || err != nil):
			t.Errorf("%q: %v, %v; want nothing", c.entries, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: %v, %v; want error %q", c.entries, got, err, c.want)
		}
	}
}

func TestDescriptorsAreNumberedFromThree(t *testing.T) {
	t.Parallel()
	got, err := Descriptors(env("LISTEN_PID=7", "LISTEN_FDS=3", "LISTEN_FDNAMES=http::stored"), 7)
	want := []Descriptor{{3, "http"}, {4, unnamed}, {5, "stored"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// go-systemd is what other Go services use: both must see the same.
func TestGoSystemdSeesTheSame(t *testing.T) {
	t.Parallel()
	files := []*os.File{
		fileOf(t, mustListen(t, "127.0.0.1:0", ListenOptions{})),
		fileOf(t, mustListen(t, "unix:@"+in(temp(t), "s"), ListenOptions{})),
	}
	variables := []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=http:admin"}
	ours := activate(t, files, variables...)
	theirs := activate(t, files, append(variables, pidEnv+"=peer")...)
	if len(ours.Sockets) != 2 || len(theirs.Sockets) != 2 {
		t.Fatalf("we see %+v, go-systemd %+v", ours, theirs)
	}
	for i := range ours.Sockets {
		if ours.Sockets[i].Name != theirs.Sockets[i].Name || ours.Sockets[i].FD != theirs.Sockets[i].FD {
			t.Errorf("socket %d: we see %+v, go-systemd %+v", i, ours.Sockets[i], theirs.Sockets[i])
		}
	}
}

// The real thing, as far as it goes without a booted systemd.
func TestSystemdSocketActivate(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	dir := temp(t)
	first, second := in(dir, "first"), in(dir, "second")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-l", first, "-l", second, "--fdname=http:admin",
		"-E", partEnv+"=service", "-E", quick, self(t))
	cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, ctx, second) // the first connection starts the service
	got := tell(t, cmd, cmd.Wait)
	_ = conn.Close()
	want := []Socket{
		{Name: "http", FD: 3, Network: "unix", Address: first},
		{Name: "admin", FD: 4, Network: "unix", Address: second},
	}
	if got.Error != "" || !slices.Equal(got.Sockets, want) {
		t.Errorf("took over %+v, error %q; want %+v", got.Sockets, got.Error, want)
	}
}

// connect waits until somebody listens at path. Another program makes the
// socket, and gives no sign when it has.
func connect(t *testing.T, ctx context.Context, path string) net.Conn {
	t.Helper()
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			return conn
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nobody listens at %s: %v", path, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A datagram socket passed by the real program must be refused by name.
func TestSystemdSocketActivateDatagram(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	path := in(temp(t), "d")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--datagram", "-l", path, "-E", partEnv+"=service", "-E", quick, self(t))
	cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for sent := false; !sent; {
		if c, err := net.Dial("unixgram", path); err == nil {
			_, err = c.Write([]byte("wake up"))
			sent = err == nil
			_ = c.Close()
		}
		select {
		case <-ctx.Done():
			t.Fatal("nobody receives")
		case <-time.After(5 * time.Millisecond):
		}
	}
	got := tell(t, cmd, cmd.Wait)
	if !strings.Contains(got.Error, "fd 3") || !strings.Contains(got.Error, "a datagram socket (Unix)") {
		t.Errorf("error is %q", got.Error)
	}
}

func TestProcessIDsAreNotTruncated(t *testing.T) {
	t.Parallel()
	pid := 5
	far := strconv.FormatInt(1<<32+int64(pid), 10)
	if got, err := Descriptors(env("LISTEN_PID="+far, "LISTEN_FDS=1"), pid); err == nil {
		t.Errorf("LISTEN_PID=%s was taken for %d: %v", far, pid, got)
	}
}
