package pool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exit is how a process ended, as waitid(2) tells it.
//
// Status is its exit status, 0 to 255, or -1 if it died by Signal. Status -1
// with Signal 0 means that nobody knows: something else in this program
// reaped the process first.
type Exit struct {
	PID        int
	Status     int
	Signal     syscall.Signal
	CoreDumped bool
}

// Process is a child of this process, watched through a pidfd (pidfd_open(2))
// by the runtime's poller: no thread waits for it. All methods may be called
// from any goroutine.
type Process struct {
	pid   int
	file  *os.File // the pidfd; closed after the reap by the goroutine that reaps
	conn  syscall.RawConn
	ended <-chan Exit

	left     chan struct{} // closed when nobody waits for it any more
	released bool          // it was not reaped; to be read after left
}

// Watch begins to watch the child pid and will reap it when it ends. The
// child may have ended already, but must not have been reaped: a number
// that is no child of ours any more is refused with ESRCH or ECHILD, which
// also protects whoever has that number now. Nothing else may wait for the
// process.
func Watch(pid int) (*Process, error) {
	ended := make(chan Exit, 1)
	p, err := watch(pid, func(x Exit) { ended <- x })
	if err != nil {
		return nil, err
	}
	p.ended = ended
	go func() {
		<-p.left
		close(ended)
	}()
	return p, nil
}

// watch is Watch with a function that is called, once and on a goroutine of
// its own, after the process was reaped. It may be called before watch
// returns.
func watch(pid int, ended func(Exit)) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, unix.O_NONBLOCK) // PIDFD_NONBLOCK is the same bit; CLOEXEC is always set
	if err != nil {
		return nil, fmt.Errorf("open pidfd of process %d: %w", pid, err)
	}
	var info siginfo
	err = waitid(unix.P_PIDFD, fd, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		_ = unix.Close(fd) // nothing was written to it
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The descriptor is non-blocking, so NewFile gives it to the poller.
	file := os.NewFile(uintptr(fd), fmt.Sprintf("pidfd of %d", pid))
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close() // never used
		return nil, fmt.Errorf("wait for process %d: %w", pid, err)
	}
	p := &Process{pid: pid, file: file, conn: conn, left: make(chan struct{})}
	go func() {
		defer close(p.left)
		exit, reaped := p.wait()
		if p.released = !reaped; reaped {
			ended(exit)
		}
	}()
	return p, nil
}

// wait parks this goroutine until the process ended, reaps it, and gives the
// descriptor back. After Release it may return before that, and reaped is false.
func (p *Process) wait() (x Exit, reaped bool) {
	var info siginfo
	var failed error
	err := p.conn.Read(func(fd uintptr) bool {
		failed = waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED)
		return !errors.Is(failed, unix.EAGAIN) // not ended yet: the poller calls again
	})
	_ = p.file.Close() // nothing was written to it
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Exit{}, false
	}
	if err != nil || failed != nil {
		// ECHILD: reaped by somebody else, or SIGCHLD is ignored.
		return Exit{PID: p.pid, Status: -1}, true
	}
	return info.exit(), true
}

// Release stops watching without reaping and returns true; the process is then for
// somebody else to watch, another image of this process as a rule. If it was reaped
// before that, Release returns false, and Ended has brought its exit.
func (p *Process) Release() bool {
	_ = p.file.SetReadDeadline(time.Unix(1, 0)) // in the past; it fails if the process was reaped
	<-p.left
	return p.released
}

// PID is the number of the process. After the reap it may belong to another.
func (p *Process) PID() int { return p.pid }

// Ended receives the exit once, after the process was reaped, and is then
// closed. After Release it is closed without an exit.
func (p *Process) Ended() <-chan Exit { return p.ended }

// Signal sends sig through the pidfd (pidfd_send_signal(2)). After the reap it
// returns [os.ErrProcessDone]; to a process that ended and was not reaped yet
// sending succeeds and does nothing.
func (p *Process) Signal(sig syscall.Signal) error {
	var failed error
	err := p.conn.Control(func(fd uintptr) {
		failed = unix.PidfdSendSignal(int(fd), sig, nil, 0)
	})
	// Control fails only on a file that is closed, with an error that has no
	// public name; wait closes it after the reap.
	if err != nil || errors.Is(failed, unix.ESRCH) {
		return os.ErrProcessDone
	}
	if failed != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), p.pid, failed)
	}
	return nil
}

// siginfo is siginfo_t as waitid(2) fills it on 64-bit Linux: x/sys leaves
// the part with pid and status unnamed.
type siginfo struct {
	signo, errno, code, _ int32
	pid, uid, status      int32
	_                     [100]byte
}

// The compiler refuses a siginfo that is smaller or larger than the kernel's.
var _ [unsafe.Sizeof(unix.Siginfo{})]byte = [unsafe.Sizeof(siginfo{})]byte{}

// waitid calls waitid(2) and hides EINTR, which Go's own signals cause.
func waitid(kind, id int, info *siginfo, options int) error {
	for {
		err := unix.Waitid(kind, id, (*unix.Siginfo)(unsafe.Pointer(info)), options, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Values of si_code, from <signal.h>.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

func (i *siginfo) exit() Exit {
	x := Exit{PID: int(i.pid), Status: -1}
	switch i.code {
	case cldExited:
		x.Status = int(i.status)
	case cldKilled, cldDumped:
		x.Signal = syscall.Signal(i.status)
		x.CoreDumped = i.code == cldDumped
	}
	return x
}

// kin counts the processes the pool has been told of and not yet reaped. A
// number may be there twice for a moment: reaped, and already given by the
// kernel to the next one.
type kin struct {
	mu   sync.Mutex
	pids map[int]int
}

func (k *kin) add(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pids == nil {
		k.pids = make(map[int]int)
	}
	k.pids[pid]++
}

func (k *kin) remove(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pids[pid]--; k.pids[pid] <= 0 {
		delete(k.pids, pid)
	}
}

func (k *kin) has(pid int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pids[pid] > 0
}
