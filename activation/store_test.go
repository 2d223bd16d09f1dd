package activation

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/indrik/indrik/internal/fdcheck"
	"golang.org/x/sys/unix"
)

// What is stored must be the same open file when it comes back, and the caller
// keeps its own copy.
func TestStoredDescriptorIsTheSameFile(t *testing.T) {
	fdcheck.NoLeak(t)
	m := manage(t, in(temp(t), "notify"))
	n := m.notifier(t)
	state, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(state); err != nil {
			t.Errorf("our copy was closed: %v", err)
		}
	})
	listener := mustListen(t, "127.0.0.1:0", ListenOptions{})
	if err := n.Store("state", state, listener.FD); err != nil {
		t.Fatal(err)
	}
	got := m.next(t)
	defer closeAll(got.fds)
	if got.text != "FDSTORE=1\nFDNAME=state" || len(got.fds) != 2 {
		t.Fatalf("got %q with %d descriptors", got.text, len(got.fds))
	}
	for i, fd := range []int{state, listener.FD} {
		var sent, kept unix.Stat_t
		if err := errors.Join(unix.Fstat(fd, &sent), unix.Fstat(got.fds[i], &kept)); err != nil {
			t.Fatal(err)
		}
		if sent.Ino != kept.Ino || sent.Dev != kept.Dev {
			t.Errorf("descriptor %d is another file", i)
		}
	}
}

// The kernel takes 253 descriptors in one message; so do we.
func TestStoreManyAtOnce(t *testing.T) {
	fdcheck.NoLeak(t)
	m := manage(t, in(temp(t), "notify"))
	n := m.notifier(t)
	fds := make([]int, MaxNotificationFDs)
	for i := range fds {
		fds[i] = int(os.Stderr.Fd())
	}
	if err := n.Store("many", fds...); err != nil {
		t.Fatal(err)
	}
	got := m.next(t)
	defer closeAll(got.fds)
	if len(got.fds) != len(fds) {
		t.Errorf("%d descriptors came, want %d", len(got.fds), len(fds))
	}
}

// When Barrier returns, the manager has everything; nothing is left open.
func TestBarrierWaitsForTheManager(t *testing.T) {
	fdcheck.NoLeak(t)
	m := manage(t, in(temp(t), "notify"))
	n := m.notifier(t)
	if err := n.Stopping(""); err != nil {
		t.Fatal(err)
	}
	if err := n.Barrier(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The fake manager hands over the barrier after it let it go.
	m.expects(t, "STOPPING=1", "BARRIER=1")
}

// A manager that never gets to the barrier costs the time that the caller gave
// it and no more.
func TestBarrierEndsWithTheContext(t *testing.T) {
	fdcheck.NoLeak(t)
	address := in(temp(t), "notify")
	fd := open(unix.AF_UNIX, unix.SOCK_DGRAM, 0)(t)
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		t.Fatal(err)
	}
	n, err := NewNotifier(env("NOTIFY_SOCKET=" + address))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := n.Barrier(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the deadline's", err)
	}
	reason := errors.New("told to stop")
	stopped, stop := context.WithCancelCause(t.Context())
	stop(reason)
	if err := n.Barrier(stopped); !errors.Is(err, reason) {
		t.Errorf("error is %v, want %v", err, reason)
	}
	contains(t, n.Barrier(stopped), "wait for "+address+" to pass the barrier: told to stop")
}

func TestBarrierWithoutManager(t *testing.T) {
	fdcheck.NoLeak(t)
	n, err := NewNotifier(env("NOTIFY_SOCKET=" + in(temp(t), "nobody")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	if err := n.Barrier(t.Context()); !errors.Is(err, unix.ENOENT) {
		t.Errorf("error is %v, want ENOENT inside", err)
	}
}
