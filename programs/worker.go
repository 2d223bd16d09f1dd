package programs

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/pool"
)

// worker is one program that was started. It belongs to the master's goroutine, but
// for signs.
type worker struct {
	gen   *generation
	slot  pool.SlotID
	pid   int
	born  time.Time
	phase pool.Phase
	ear   *ear
	signs *signs

	inodes map[uint64]bool // of its listeners

	spoke    bool      // it has sent anything
	ready    bool      // the pool was told that it is
	waiting  time.Time // since when it was seen waiting for connections; zero: not now
	hinted   bool      // the log was told that it says nothing
	status   string    // its own, one line
	large    bool      // it has too much memory, and is being replaced
	errno    int       // that it announced
	watchdog time.Duration

	// executed is closed when it is known whether the shim became the program;
	// failure says why it did not, and may be read after that.
	executed chan struct{}
	failure  string

	died   time.Time   // zero while it lives
	death  *pool.Death // set with died
	asked  bool        // ear was told to finish
	silent bool        // everything it sent has been heard
	output []*prefixer
}

// launch starts the program in a slot.
//
// It uses neither os/exec nor os.StartProcess, which reap by themselves, and go
// through (*os.File).Fd, which makes shared files blocking.
func (m *master) launch(g *generation, slot pool.SlotID) (w *worker, err error) {
	p := g.plan
	w = &worker{gen: g, slot: slot, born: time.Now(), signs: new(signs), executed: make(chan struct{}), watchdog: p.settings.ExecWatchdog()}
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer syscall.Close(null)
	report, theirs, err := newReport()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }() // the program has its own, or there is none
	stdout, stderr, err := m.outputs(w)
	if err != nil {
		_ = report.Close() // nothing was written
		return nil, err
	}
	if w.ear, err = newEar(); err == nil {
		err = m.start(w, []uintptr{uintptr(null), stdout, stderr}, rawFD(theirs))
	}
	w.releaseOutputs()
	if err != nil {
		_ = report.Close() // likewise
		if w.ear != nil {
			w.ear.close()
		}
		return nil, err
	}
	m.parts.PlaceLimited(w.part(), w.pid, g.plan.settings.WorkerMemoryHigh())
	_, _ = report.Write([]byte{1}) // the shim waits for it; if it is gone, its status tells why
	go w.learn(report)
	go w.ear.listen(w, m.post, func(sender int, err error) {
		m.log.Debug("notification ignored", "slot", int(slot), "pid", sender, "error", err)
	})
	return w, nil
}

// start forks the shim; files are the three standard ones.
func (m *master) start(w *worker, files []uintptr, report uintptr) error {
	p := w.gen.plan
	fds, names := m.listeners(p, w.slot)
	w.inodes = inodesOf(fds)
	m.store.sift(w.slot)
	for _, d := range m.store[w.slot] {
		fds, names = append(fds, d.fd), append(names, d.name)
	}
	for _, fd := range fds {
		files = append(files, uintptr(fd))
	}
	files = append(files, report)
	env := overlay(p.env, []string{
		"INDRIK_SLOT=" + strconv.Itoa(int(w.slot)),
		"INDRIK_GENERATION=" + strconv.Itoa(w.gen.number),
		"LISTEN_FDS=" + strconv.Itoa(len(fds)),
		"LISTEN_FDNAMES=" + strings.Join(names, ":"),
		"NOTIFY_SOCKET=" + w.ear.address,
	})
	if p.settings.ExecFDStore() > 0 {
		env = append(env, "FDSTORE="+strconv.Itoa(p.settings.ExecFDStore()))
	}
	if w.watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(w.watchdog.Microseconds(), 10))
	}
	attributes := &syscall.ProcAttr{Dir: p.dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}}
	if p.identity != nil {
		attributes.Sys.Credential = &p.identity.credential
	}
	argv := append([]string{"indrik", ShimCommand}, shimArguments(len(files)-1, p.umask, p.path, p.argv)...)
	// Not by name: a package manager may have replaced this binary, and the two must
	// understand each other.
	pid, _, err := syscall.StartProcess("/proc/self/exe", argv, attributes)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	w.pid = pid
	w.signs.beat.Store(int64(monotonic()))
	return nil
}

// newReport makes the two ends on which a shim is told that it may become its program,
// and says why it could not.
func newReport() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		// Only ours: each end has a mode of its own, and the shim is to wait.
		if err = unix.SetNonblock(fds[0], true); err != nil {
			closeAll(fds[:])
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket for the outcome: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "report"), os.NewFile(uintptr(fds[1]), "shim"), nil
}

// part is the name of the program's control group.
func (w *worker) part() string { return parts.Worker(int(w.slot), w.gen.number, w.pid) }

// reportLimit bounds what a shim says.
const reportLimit = 4 << 10

// learn reads what the shim says. The end of file without a word is execve(2): it
// closes the other end.
func (w *worker) learn(report *os.File) {
	defer close(w.executed)
	defer func() { _ = report.Close() }() // read side; nothing to lose
	text, err := io.ReadAll(io.LimitReader(report, reportLimit))
	if err != nil {
		return // as if it had said nothing: its status tells enough
	}
	w.failure = string(text)
}

// rawFD reads a descriptor's number without the side effect of Fd, which would make
// the open file blocking for everybody who shares it.
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

// hear obeys a notification.
func (m *master) hear(w *worker, n notice) {
	defer n.close()
	w.spoke = true
	if n.beat || n.ready {
		w.beat(0)
	}
	if n.status != nil {
		said := oneLine(*n.status, statusLimit)
		w.status = said
		w.signs.said.Store(&said)
	}
	if n.errno != 0 {
		w.errno = n.errno
	}
	if n.watchdog > 0 && w.watchdog > 0 {
		w.watchdog = n.watchdog
		w.beat(0)
	}
	if n.extend > 0 {
		w.gen.pool.Extend(w.slot, w.pid, n.extend)
	}
	if n.stopping {
		w.signs.leaving.Store(true)
	}
	if n.remove {
		m.store.remove(w.slot, n.name)
	}
	if n.store {
		if refused := m.store.add(w.slot, &n, m.plan.settings.ExecFDStore()); refused > 0 {
			m.log.Warn("descriptors not stored", "slot", int(w.slot), "pid", w.pid, "number", refused, "limit", m.plan.settings.ExecFDStore())
		}
	}
	if n.ready {
		w.gen.told = true
		w.becameReady()
	}
	if n.trigger {
		w.gen.pool.Dismiss(w.slot, w.pid, pool.Silent)
	}
}

// beat notes a sign of life. The pool knows one limit for all workers; one that chose
// another has its beats moved by the difference.
func (w *worker) beat(later time.Duration) {
	w.signs.beat.Store(int64(monotonic() + w.moved() + later))
}

// beatAt is the instant of the last beat.
func (w *worker) beatAt() time.Duration { return time.Duration(w.signs.beat.Load()) - w.moved() }

// moved is by how much its beats are.
func (w *worker) moved() time.Duration { return w.watchdog - w.gen.plan.settings.ExecWatchdog() }

// becameReady tells the pool, once.
func (w *worker) becameReady() {
	if !w.ready {
		w.ready = true
		w.gen.pool.Ready(w.slot, w.pid)
	}
}

// settleTime is how long a program must have been waiting for connections before
// that counts as being ready, if it may yet say READY=1: some open their sockets
// long before they answer.
const settleTime = 500 * time.Millisecond

// hintAfter is when the log is told that a program says nothing.
const hintAfter = 5 * time.Second

// observe judges a starting worker that may never say that it is ready.
func (m *master) observe(w *worker, now time.Time) {
	s := w.gen.plan.settings
	if w.phase != pool.Starting || w.ready || s.ExecReady() == "notify" {
		return
	}
	lived := now.Sub(w.born)
	if !w.hinted && lived > hintAfter {
		w.hinted = true
		m.log.Info("program not ready yet", "slot", int(w.slot), "pid", w.pid, "after", lived.Round(time.Second),
			"hint", "it has neither sent READY=1 nor been seen waiting for connections; see --ready and --ready-after")
	}
	if s.ExecReady() == "auto" && (w.spoke || w.gen.told) {
		return // it knows how to say it
	}
	if after := s.ExecReadyAfter(); after > 0 && lived >= after && s.ExecReady() == "auto" {
		w.becameReady()
		return
	}
	if !accepting(w.pid, w.inodes) {
		w.waiting = time.Time{}
		return
	}
	if w.waiting.IsZero() {
		w.waiting = now
	}
	settle := settleTime
	if s.ExecReady() == "accept" {
		settle = s.ExecReadyAfter()
	}
	if now.Sub(w.waiting) >= settle {
		w.becameReady()
	}
}

// bury does what is due when a worker has ended: hear its last words, and end what it
// left behind. It returns true when nothing is left to do.
func (m *master) bury(w *worker, now time.Time) bool {
	if !w.silent && !w.asked {
		w.asked = w.ear.finish() == nil
	}
	if !w.silent && now.Sub(w.died) < lastWords {
		return false
	}
	w.ear.close()
	return true
}

// lastWords bounds the wait for what a worker sent before its end; it lies in the
// socket's queue already.
const lastWords = time.Second

// why says in words why a worker ended that was never ready.
func (w *worker) why() error {
	<-w.executed // its process is gone, so the pipe is at its end
	d := w.death
	detail := ""
	if w.errno != 0 {
		detail += fmt.Sprintf(", after it had announced error %d (%v)", w.errno, unix.Errno(w.errno))
	}
	if w.status != "" {
		detail += fmt.Sprintf(", with the status %q", w.status)
	}
	switch {
	case w.failure != "":
		return fmt.Errorf("%w: %s", ErrStart, w.failure)
	case d.Cause == pool.NeverReady:
		return fmt.Errorf("%w: %s was not ready within %v (boot-timeout)%s; see --ready and --ready-after", ErrBoot, w.gen.plan.path, w.gen.plan.settings.BootTimeout(), detail)
	case d.Exit.Signal != 0:
		return fmt.Errorf("%w: %s was ended by %s%s", ErrBoot, w.gen.plan.path, unix.SignalName(d.Exit.Signal), detail)
	}
	return fmt.Errorf("%w: %s ended with status %d%s", ErrBoot, w.gen.plan.path, d.Exit.Status, detail)
}
