package master

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// sendLimit bounds how long the loop waits for room in a child's channel. A
// channel holds some two hundred orders, so a child that left it full for this
// long has stopped, and is treated as dead.
const sendLimit = 2 * time.Second

// lastWords is how long the end of a process is held back for what it said
// before it, which normally is there already.
const lastWords = 500 * time.Millisecond

// child is a process that the master started, with a channel to it: the
// gateway or a mold. It is owned by the master's loop; its two goroutines only
// post facts.
type child struct {
	name    string
	pid     int
	process *pool.Process // nil if the image before has reaped it (restore.go)
	channel *dispatch.Channel
	started time.Time
	closed  bool // the channel
	reaped  bool // kept by those who wait for it outside the loop

	silent chan struct{} // closed when nobody listens any more
	left   chan struct{} // and nobody waits for its end
	also   <-chan struct{}
}

// program says what to start. Descriptor 3 of the new process is its end of
// the channel, extra follow from 4 on.
type program struct {
	name string // for logs
	path string
	argv []string
	env  []string
	dir  string // working directory
	// stdout and stderr are lent for the call.
	stdout, stderr *os.File
	extra          []int
	// place is the number of the channel in place of 3, if it is not 0. keep are
	// descriptors that have the same number there. They go without extra.
	place int
	keep  []int
	// also is closed when something else was heard of the child to its end, for which
	// its end is held back. May be nil.
	also <-chan struct{}
	// batch schedules it as SCHED_BATCH.
	batch bool
	// group gives it a process group of its own, by which what it leaves behind is known.
	group bool
}

// files are the descriptors of the new process, in the order of their numbers there.
func (p program) files(null, channel int) []uintptr {
	const none = ^uintptr(0)
	files := []uintptr{uintptr(null), rawFD(p.stdout), rawFD(p.stderr)}
	if p.place == 0 {
		files = append(files, uintptr(channel))
		for _, fd := range p.extra {
			files = append(files, uintptr(fd))
		}
		return files
	}
	for len(files) <= max(p.place, slices.Max(append(p.keep, 0))) {
		files = append(files, none)
	}
	for _, fd := range p.keep {
		files[fd] = uintptr(fd)
	}
	files[p.place] = uintptr(channel)
	return files
}

// startChild starts p and the goroutines that post what it says and that it
// ended.
//
// It uses neither os/exec nor os.StartProcess: both go through (*os.File).Fd,
// which makes a shared open file blocking, and both would reap by themselves.
// PDEATHSIG is not set, because it fires when the thread that started the child
// ends; the sign of the master's death is the end of file on the channel.
func startChild(p program, post func(fact)) (*child, error) {
	ours, theirs, err := dispatch.SocketPair()
	if err != nil {
		return nil, fmt.Errorf("make the channel to the %s: %w", p.name, err)
	}
	defer syscall.Close(theirs) // the child has its own copy, or there is no child
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		_ = syscall.Close(ours)
		return nil, fmt.Errorf("open /dev/null: %w", err)
	}
	defer syscall.Close(null)
	channel, err := dispatch.NewChannel(ours, p.name)
	if err != nil {
		return nil, fmt.Errorf("watch the channel to the %s: %w", p.name, err)
	}
	channel.SetSendTimeout(sendLimit)
	pid, err := startProcess(p.batch, p.path, p.argv, &syscall.ProcAttr{
		Dir: p.dir, Env: p.env, Files: p.files(null, theirs), Sys: &syscall.SysProcAttr{Setpgid: p.group},
	})
	if err != nil {
		_ = channel.Close()
		return nil, fmt.Errorf("start the %s (%s): %w", p.name, p.path, err)
	}
	process, err := pool.Watch(pid)
	if err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL) // ours and not reaped, so the number is still its
		_ = channel.Close()
		return nil, fmt.Errorf("watch the %s: %w", p.name, err)
	}
	c := &child{name: p.name, pid: pid, process: process, channel: channel, started: time.Now()}
	c.also = p.also
	c.begin(post)
	return c, nil
}

// startProcess starts a process that has no signal blocked. In an image that was
// executed by another all threads but one of the runtime's have those blocked that the
// master obeys (cmd/indrik/signals.go), and a process inherits what the thread has
// that starts it. So it does with the scheduling policy.
func startProcess(batch bool, path string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if batch {
		defer scheduleAsBatch()()
	}
	var none, before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, &before); err != nil {
		return 0, fmt.Errorf("unblock signals: %w", err)
	}
	pid, _, err = syscall.StartProcess(path, argv, attr)
	if err == syscall.EBADF {
		// All that it was given are open. Where the child puts them, behind the last one, is
		// not below the limit: dup(2), RLIMIT_NOFILE.
		err = syscall.EMFILE
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) // it is what the kernel gave us
	return pid, err
}

// begin starts the goroutines that post what the child does.
func (c *child) begin(post func(fact)) {
	c.silent, c.left = make(chan struct{}), make(chan struct{})
	if c.closed {
		close(c.silent)
	} else {
		go c.listen(post)
	}
	go c.await(post)
}

// release stops both goroutines, the child lives on. What they have heard is posted
// when it returns. Its channel was interrupted, or is closed.
func (c *child) release() {
	if c.process == nil {
		return
	}
	c.process.Release()
	<-c.left
}

// rawFD reads the descriptor's number without the side effect of Fd, which
// would make the open file blocking for everybody who shares it.
func rawFD(f *os.File) uintptr {
	const none = ^uintptr(0) // the descriptor stays closed in the child
	if f == nil {
		return none
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return none
	}
	number := none
	_ = conn.Control(func(fd uintptr) { number = fd }) // closed: as if there were none
	return number
}

// await posts the end of the child, after what it said before it: its last words
// tell why. A process that inherited the channel could keep it open, so that is
// not waited for without limit.
func (c *child) await(post func(fact)) {
	defer close(c.left)
	exit, ended := <-c.process.Ended()
	if !ended { // it was released
		<-c.silent
		return
	}
	limit := time.After(lastWords)
	for _, heard := range []<-chan struct{}{c.silent, c.also} {
		if heard == nil {
			continue
		}
		select {
		case <-heard:
		case <-limit:
			limit = time.After(0)
		}
	}
	post(childEnded{c, exit})
}

// listen posts what the child says until its end hangs up or ours is closed.
func (c *child) listen(post func(fact)) {
	defer close(c.silent)
	for {
		msg, fds, err := c.channel.Receive()
		if word(msg) == "compiled" && len(fds) == 1 {
			post(codeCompiled{c, os.NewFile(uintptr(fds[0]), "indrik-compiled"), item(msg, 1) == true})
			continue
		}
		closeAll(fds) // no other fact comes with a descriptor
		if interrupted(err) {
			return
		}
		if err != nil {
			post(childHungUp{c, err})
			return
		}
		post(childSaid{c, msg})
	}
}

// order sends one order. An error means that the child is dead or stuck; it was
// killed then, and its end will be a fact.
func (c *child) order(msg dispatch.Tuple, fds ...int) error {
	if c.closed {
		return fmt.Errorf("order the %s: %w", c.name, os.ErrClosed)
	}
	err := c.channel.Send(msg, fds...)
	if err != nil {
		c.kill()
		return fmt.Errorf("order the %s: %w", c.name, err)
	}
	return nil
}

// hangUp closes the channel, which is the order to leave.
func (c *child) hangUp() {
	if !c.closed {
		c.closed = true
		_ = c.channel.Close() // nothing buffered is lost: SEQPACKET keeps what was sent
	}
}

// kill sends SIGKILL.
func (c *child) kill() {
	if c.process == nil {
		return // somebody else has reaped it, and its end is posted
	}
	_ = c.process.Signal(syscall.SIGKILL) // a child of ours cannot refuse: if it fails, it has ended
}
