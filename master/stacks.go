package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// stackLimit bounds how long a worker's threads are waited for. The signal is
	// handled when a thread next returns from the kernel, which all but a process in
	// uninterruptible sleep does at once.
	stackLimit = 2 * time.Second
	// taskLimit bounds how long its event loop is waited for, from the beginning.
	taskLimit = time.Second
	// stackQuiet is after how long without another byte a dump counts as whole if
	// the kernel cannot tell.
	stackQuiet = 100 * time.Millisecond
	// stackRoom bounds what is read of a dump, in bytes. The interpreter writes at
	// most a hundred frames of a hundred threads.
	stackRoom = 1 << 20
)

var (
	errNoStacks = errors.New("its interpreter has no way to show them")
	errNoWorker = errors.New("there is no worker")
	errPaused   = errors.New("it is stopped (SIGSTOP) and can show nothing until it is continued")
)

// stackFile is where a worker writes its threads' stacks when it gets signal. The
// file is memory of the worker's making, opened for appending.
type stackFile struct {
	*os.File
	signal syscall.Signal
}

// asking is a question for the stacks of a worker that is not answered yet.
type asking struct {
	number int64       // by which the answer of its event loop is known
	tasks  chan string // that answer; room for one
	then   []func(text string, err error)
}

type (
	// stacksOffered: a worker gave the file into which it writes its stacks. The
	// file belongs to who hears it.
	stacksOffered struct {
		worker *worker
		file   *stackFile
	}
	// stacksTaken: what a worker was doing when it was asked.
	stacksTaken struct {
		worker *worker
		text   string
		err    error
	}
)

// stacks finds out what the worker of a slot is doing at this moment: the stacks of
// all its threads, as the interpreter's fault handler writes them, and those of its
// tasks or greenlets if it runs such things and they are not stuck. It returns at
// once; then is called on the master's goroutine, within some three seconds, and
// exactly once unless the master ends before. The worker is not disturbed by it.
//
// An error says in words why there is nothing to see. Questions that come while
// another about the same worker is open get the answer to that one.
func (g *generation) stacks(slot pool.SlotID, then func(text string, err error)) {
	w, there := g.workers[slot]
	switch {
	case !there || w.pid == 0 || w.death != nil:
		then("", errNoWorker)
	case w.stacks == nil:
		then("", errNoStacks)
	case w.asking != nil:
		w.asking.then = append(w.asking.then, then)
	default:
		g.asked++
		w.asking = &asking{number: g.asked, tasks: make(chan string, 1), then: []func(string, error){then}}
		pid, file := w.pid, w.stacks // the worker's are this goroutine's to change
		look := look{pid: pid, file: file, asking: w.asking, signal: func() { g.pool.SignalOne(slot, pid, file.signal) }}
		if w.own != nil && w.ready { // it has an event loop or a hub
			look.report = w.report
		}
		go func() {
			text, err := look.take(context.Background())
			g.post(stacksTaken{w, text, err})
		}()
	}
}

// offerStacks hears where a worker writes its stacks.
func (m *master) offerStacks(f stacksOffered) {
	if f.worker.stacks != nil || f.worker.death != nil {
		_ = f.file.Close() // read side
		return
	}
	f.worker.stacks = f.file
}

// dropStacks gives the file back. A look that is under way ends by it.
func (w *worker) dropStacks() {
	if w.stacks != nil {
		_ = w.stacks.Close() // read side
		w.stacks = nil
	}
}

// tookStacks hands out what was asked for.
func (m *master) tookStacks(f stacksTaken) {
	answered := f.worker.asking
	f.worker.asking = nil
	for _, then := range answered.then {
		then(f.text, f.err)
	}
}

// tasksTold passes the answer of a worker's event loop on to the look that asked. One
// that comes too late is of no interest.
func (w *worker) tasksTold(number int64, text string) {
	if w.asking == nil || w.asking.number != number {
		return
	}
	select {
	case w.asking.tasks <- text:
	default: // a second answer: nobody of ours sends one
	}
}

// newStackFile takes the file out of a worker's offer; nil if the offer is none.
func newStackFile(msg dispatch.Tuple, fds []int) *stackFile {
	sig := number(msg, 1)
	if len(fds) != 1 || sig <= 0 || sig > 64 {
		closeAll(fds)
		return nil
	}
	return &stackFile{os.NewFile(uintptr(fds[0]), "stacks of a worker"), syscall.Signal(sig)}
}

// look is one look at a worker. It runs beside the master's loop, because it waits.
type look struct {
	pid    int
	signal func() // sends the signal, now or a moment later
	file   *stackFile
	report *dispatch.Channel // to ask the event loop by; nil if there is none
	asking *asking
}

// take returns what the worker is doing.
func (l look) take(ctx context.Context) (string, error) {
	patience, cancel := context.WithTimeout(ctx, taskLimit)
	defer cancel()
	if l.report != nil {
		// Its limit bounds the wait for room that a stuck worker has not made. What
		// goes wrong shows as an answer that does not come.
		_ = l.report.Send(dispatch.Tuple{"stacks", l.asking.number})
	}
	text, err := l.threads(ctx)
	if err != nil || l.report == nil {
		return text, err
	}
	select {
	case tasks := <-l.asking.tasks:
		return strings.TrimRight(text, "\n") + "\n\n" + tasks, nil
	case <-patience.Done():
		return text + fmt.Sprintf("\nIts event loop did not answer within %v: it is busy with the above.\n", taskLimit), nil
	}
}

// threads makes the worker write its threads' stacks and reads them.
func (l look) threads(ctx context.Context) (string, error) {
	before, err := readThread(l.pid, l.file.signal)
	switch {
	case err != nil:
		return "", err
	case before.stopped:
		return "", errPaused
	case !before.caught: // its death, if it were sent
		return "", errNoStacks
	}
	if err := l.file.Truncate(0); err != nil {
		return "", fmt.Errorf("make room for the stacks: %w", err)
	}
	l.signal()
	ctx, cancel := context.WithTimeout(ctx, stackLimit)
	defer cancel()
	if err := l.await(ctx, before); err != nil {
		return "", err
	}
	text := make([]byte, stackRoom)
	n, err := l.file.ReadAt(text, 0)
	if n == 0 {
		return "", fmt.Errorf("read the stacks: %w", err)
	}
	return string(text[:n]), nil
}

// await waits until the dump is whole. The kernel knows: while the handler runs, the
// signal is blocked in its thread, which is the main thread unless that blocks it
// always. There is no event for it, so it is looked at again and again.
func (l look) await(ctx context.Context, before thread) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var last int64
	changed := time.Now()
	for {
		select {
		case <-ctx.Done():
			now, err := readThread(l.pid, l.file.signal)
			if err != nil {
				return err
			}
			return fmt.Errorf("it did not answer within %v (state %s)", stackLimit, now.state)
		case now := <-tick.C:
			thread, err := readThread(l.pid, l.file.signal)
			if err != nil {
				return err
			}
			info, err := l.file.Stat()
			if err != nil {
				return errNoWorker // closed: it was reaped
			}
			if size := info.Size(); size != last {
				last, changed = size, now
			}
			whole := !thread.blocked
			if before.blocked {
				whole = now.Sub(changed) > stackQuiet
			}
			if last > 0 && whole {
				return nil
			}
		}
	}
}

// thread is what the kernel says of a process's main thread and one signal.
type thread struct {
	state   string // in words
	stopped bool
	blocked bool // the thread does not take the signal now
	caught  bool // the process has a handler for it
}

// readThread reads /proc/PID/status (proc_pid_status(5)).
func readThread(pid int, sig syscall.Signal) (t thread, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return t, errNoWorker
	}
	if err != nil {
		return t, fmt.Errorf("look at the worker: %w", err)
	}
	bit := uint64(1) << (sig - 1)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var set uint64
		switch name {
		case "State":
			t.state = value
			t.stopped = strings.HasPrefix(value, "T") || strings.HasPrefix(value, "t")
			if strings.HasPrefix(value, "Z") {
				return t, errNoWorker
			}
		case "SigBlk":
			_, _ = fmt.Sscanf(value, "%x", &set) // the kernel's own number
			t.blocked = set&bit != 0
		case "SigCgt":
			_, _ = fmt.Sscanf(value, "%x", &set) // the kernel's own number
			t.caught = set&bit != 0
		}
	}
	return t, nil
}
