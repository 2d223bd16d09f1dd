package pool

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/fdcheck"
	"github.com/indrik/indrik/internal/testproc"
)

// No test with real processes runs beside others: descriptors, goroutines and
// orphans are counted for the whole process.

const limit = 10 * time.Second // for an event that must come

func ended(t *testing.T, p *Process) Exit {
	t.Helper()
	select {
	case x, ok := <-p.Ended():
		if !ok {
			t.Fatal("ended without an exit")
		}
		return x
	case <-time.After(limit):
		t.Fatalf("process %d has not ended", p.PID())
		return Exit{}
	}
}

func watched(t *testing.T, pid int) *Process {
	t.Helper()
	p, err := Watch(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWatchTellsTheSignal(t *testing.T) {
	fdcheck.NoLeak(t)
	cmd := testproc.Start(t, "never-ready")
	p := watched(t, cmd.Process.Pid)
	if p.PID() != cmd.Process.Pid {
		t.Errorf("pid %d, want %d", p.PID(), cmd.Process.Pid)
	}
	if err := p.Signal(65); !errors.Is(err, unix.EINVAL) { // one past the last signal
		t.Errorf("signal 65: got %v, want EINVAL", err)
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	want := Exit{PID: cmd.Process.Pid, Status: -1, Signal: syscall.SIGKILL}
	if got := ended(t, p); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, open := <-p.Ended(); open {
		t.Error("a second exit arrived")
	}
	if err := p.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal after the reap: got %v, want ErrProcessDone", err)
	}
}

func TestWatchTellsTheStatus(t *testing.T) {
	fdcheck.NoLeak(t)
	for _, status := range []int{0, 1, 4, 143, 255} {
		r, w := pipe(t)
		order, give := pipe(t)
		cmd := testproc.Start(t, "leaves-as-told", w, order)
		p := watched(t, cmd.Process.Pid)
		await(t, r, saysReady)
		if _, err := give.Write([]byte{byte(status)}); err != nil {
			t.Fatal(err)
		}
		want := Exit{PID: cmd.Process.Pid, Status: status}
		if got := ended(t, p); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// A worker may be dead before anybody knows its number.
func TestWatchOfAZombie(t *testing.T) {
	fdcheck.NoLeak(t)
	pid := zombie(t)
	if got, want := ended(t, watched(t, pid)), (Exit{PID: pid, Status: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// zombie starts a child, and returns when it has ended and nobody reaped it.
func zombie(t *testing.T) int {
	t.Helper()
	pid := testproc.Start(t, "dies-first").Process.Pid
	var info siginfo
	if err := waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT); err != nil {
		t.Fatal(err)
	}
	return pid
}

// A number that is not our child's (any more) may be anybody's.
func TestWatchRefusesStrangers(t *testing.T) {
	fdcheck.NoLeak(t)
	if _, err := Watch(os.Getppid()); !errors.Is(err, unix.ECHILD) || !gone(err) {
		t.Errorf("our parent: got %v, want ECHILD", err)
	}
	cmd := testproc.Start(t, "dies-first")
	_ = cmd.Wait() // status 3
	if _, err := Watch(cmd.Process.Pid); !errors.Is(err, unix.ESRCH) || !gone(err) {
		t.Errorf("reaped: got %v, want ESRCH", err)
	}
}

// If somebody else reaps the process its watcher must not wait for ever.
func TestWatchOfAProcessThatOthersReap(t *testing.T) {
	fdcheck.NoLeak(t)
	cmd := testproc.Start(t, "never-ready")
	p := watched(t, cmd.Process.Pid)
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // either of the two gets the status
	x := ended(t, p)
	if x.PID != cmd.Process.Pid || x.Status != -1 {
		t.Errorf("got %+v, want status -1", x)
	}
}

// A thousand workers must not need a thousand threads.
func TestWatchParksNoThread(t *testing.T) {
	fdcheck.NoLeak(t)
	const children = 32
	var all []*Process
	before := threads(t)
	for range children {
		all = append(all, watched(t, testproc.Start(t, "never-ready").Process.Pid))
	}
	if grown := threads(t) - before; grown > children/2 {
		t.Errorf("%d children, %d more threads", children, grown)
	}
	for _, p := range all {
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		ended(t, p)
	}
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// What a worker leaves behind becomes the subreaper's; a worker that is
// watched must not be swept with it.
func TestSweepReapsOrphansAndNobodyElse(t *testing.T) {
	fdcheck.NoLeak(t)
	subreaper(t)
	r, w := pipe(t)
	cmd := testproc.Start(t, "forks-and-leaves", w)
	await(t, r, saysReady)
	p := watched(t, cmd.Process.Pid)
	if x := ended(t, p); x.Status != 0 {
		t.Fatalf("the parent ended with %+v", x)
	}
	nobody := func(int) bool { return false }
	if got := SweepOrphans(nobody); len(got) != 0 {
		t.Fatalf("the orphan lives, but the sweep reaped %+v", got)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil { // the group the orphan is in
		t.Fatal(err)
	}
	var peek siginfo
	if err := waitid(unix.P_ALL, 0, &peek, unix.WEXITED|unix.WNOWAIT); err != nil {
		t.Fatal(err)
	}
	orphan := int(peek.pid)
	if got := SweepOrphans(func(pid int) bool { return pid == orphan }); len(got) != 0 {
		t.Errorf("a known process was swept: %+v", got)
	}
	got := SweepOrphans(nobody)
	want := Exit{PID: orphan, Status: -1, Signal: syscall.SIGKILL}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := SweepOrphans(nobody); len(got) != 0 {
		t.Errorf("swept twice: %+v", got)
	}
}

func subreaper(t *testing.T) {
	t.Helper()
	set := func(on uintptr) {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close() // nothing is left to lose in a test's pipe
		_ = w.Close()
	})
	return r, w
}

// await reads one byte that must be what.
func await(t *testing.T, r *os.File, what byte) {
	t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := r.Read(b[:]); err != nil || b[0] != what {
		t.Fatalf("read %q, %v, want %q", b[0], err, what)
	}
}

// noGoroutineLeft fails the test if it ends with more goroutines than it
// began with. Call it before anything that starts one.
func noGoroutineLeft(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(limit); runtime.NumGoroutine() > before; {
			if time.Now().After(deadline) {
				stacks := make([]byte, 64<<10)
				t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before,
					stacks[:runtime.Stack(stacks, true)])
				return
			}
			time.Sleep(time.Millisecond) // there is no event for "a goroutine has ended"
		}
	})
}
