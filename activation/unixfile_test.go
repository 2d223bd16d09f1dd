package activation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stale leaves a socket file that nobody listens on, as SIGKILL does.
func stale(t *testing.T, path string) FileID {
	t.Helper()
	s, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(s.FD); err != nil {
		t.Fatal(err)
	}
	return s.File
}

// A server that was killed must come back without a person's help.
func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	stale(t, path)
	s := mustListen(t, "unix:"+path, ListenOptions{})
	if s.Address != path || s.Network != "unix" || !s.Owned {
		t.Errorf("socket is %+v", s)
	}
	if f, err := flagsOf(s.FD); err != nil || f != (flags{true, true}) {
		t.Errorf("flags are %+v (%v), want close-on-exec and non-blocking", f, err)
	}
	answers(t, "unix", path)
}

// Starting a second server by mistake must not take the clients of the first.
func TestLiveSocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	first := mustListen(t, "unix:"+path, ListenOptions{})
	_, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{})
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("error is %v, want EADDRINUSE inside", err)
	}
	contains(t, err, "listen on unix:"+path+": address already in use; ", "ss -lxp src "+path)
	if id, _, err := identify(path); err != nil || id != first.File {
		t.Errorf("the file was %v, is %v (%v)", first.File, id, err)
	}
	answers(t, "unix", path)
}

// A full queue is a sign of life, not of death.
func TestBusySocketIsLive(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	mustListen(t, "unix:"+path, ListenOptions{Backlog: 1})
	for full := false; !full; {
		fd := open(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)(t)
		t.Cleanup(func() { _ = unix.Close(fd) })
		full = errors.Is(unix.Connect(fd, &unix.SockaddrUnix{Name: path}), unix.EAGAIN)
	}
	if _, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("error is %v, want EADDRINUSE", err)
	}
}

// The socket of another kind of service at the path is somebody's too.
func TestLiveDatagramSocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	fd := open(unix.AF_UNIX, unix.SOCK_DGRAM, 0)(t)
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("error is %v, want EADDRINUSE", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// A slip of the pen must not cost a file.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	file, link := in(dir, "file"), in(dir, "link")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		_, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{})
		contains(t, err, "a file that is not a socket; remove it or choose another path")
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestUnixErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	_, err := Listen(t.Context(), mustBind(t, "unix:"+in(dir, "no/s")), ListenOptions{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want ENOENT inside", err)
	}
	contains(t, err, "there is no directory "+in(dir, "no"))

	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err = unprivileged(t, func() (Socket, error) {
		return Listen(context.Background(), mustBind(t, "unix:"+in(dir, "s")), ListenOptions{})
	})
	_ = os.Chmod(dir, 0o700)
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error is %v, want EACCES inside", err)
	}
	contains(t, err, "this user may not create files in "+dir)
}

// Several instances started at once on the path of a dead one: one serves, the
// others say so. Without the lock of the directory, one removes the socket that
// another has just bound, and both believe they serve.
func TestOneOfManyWins(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	for range 50 {
		stale(t, path)
		start := make(chan struct{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []Socket
		for range 8 {
			wg.Go(func() {
				<-start
				s, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, s)
				} else if !errors.Is(err, unix.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("%d instances believe that they serve", len(won))
		}
		answers(t, "unix", path)
		for _, s := range won {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A stranger who holds the lock of /tmp must not keep us from starting, and a
// service that is told to stop while it waits must stop.
func TestLockIsACourtesy(t *testing.T) {
	t.Parallel()
	dir := temp(t)
	fd := openPath(t, dir, unix.O_RDONLY)
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	reason := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if _, err := Listen(ctx, mustBind(t, "unix:"+in(dir, "s")), ListenOptions{}); !errors.Is(err, reason) {
		t.Errorf("error is %v, want %v inside", err, reason)
	}
	start := time.Now()
	mustListen(t, "unix:"+in(dir, "s"), ListenOptions{})
	if took := time.Since(start); took < lockLimit || took > patience {
		t.Errorf("it took %v, want about %v", took, lockLimit)
	}
}

// The umask belongs to the process, so this is another process: a socket
// that a proxy's group must reach has exactly the mode that was asked for.
func TestModeOfTheSocketFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		umask string
		mode  fs.FileMode
		want  string
	}{{"022", 0, "755"}, {"077", 0, "700"}, {"077", 0o660, "660"}, {"000", 0o600, "600"}, {"027", 0o777, "777"}} {
		path := in(temp(t), "s")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `umask $1 && exec "$0"`, self(t), c.umask)
		cmd.Env = append(os.Environ(), partEnv+"=binder", quick, bindEnv+"="+fmt.Sprintf("%s %o", path, c.mode))
		said, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(said)); err != nil || got != c.want {
			t.Errorf("umask %s, mode %o: file has mode %s (%v), want %s", c.umask, c.mode, got, err, c.want)
		}
	}
}

func TestCloseRemovesOnlyItsOwnFile(t *testing.T) {
	t.Parallel()
	path := in(temp(t), "s")
	listen := func() Socket {
		s, err := Listen(t.Context(), mustBind(t, "unix:"+path), ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := listen()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there (%v)", err)
	}

	s = listen()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor := mustListen(t, "unix:"+path, ListenOptions{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if id, _, err := identify(path); err != nil || id != successor.File {
		t.Errorf("the successor's file was removed (%v)", err)
	}
	answers(t, "unix", path)
}

// The path is remembered absolute: the program may change its directory.
func TestRelativePath(t *testing.T) {
	dir := temp(t)
	t.Chdir(dir)
	s := mustListen(t, "unix:s", ListenOptions{})
	if s.Address != in(dir, "s") || s.Name != "unix:s" {
		t.Errorf("socket is %+v", s)
	}
	t.Chdir("/")
	answers(t, "unix", s.Address)
}

func TestAbstractAddress(t *testing.T) {
	t.Parallel()
	name := "@" + in(temp(t), "s")
	s := mustListen(t, "unix:"+name, ListenOptions{})
	if s.Address != name || s.File != (FileID{}) {
		t.Errorf("socket is %+v", s)
	}
	answers(t, "unix", name)
}
