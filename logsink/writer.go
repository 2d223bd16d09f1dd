package logsink

import (
	"sync"
	"time"
)

// quiet is how long nothing is reported after a report: whatever is wrong is
// wrong with each entry.
const quiet = 10 * time.Second

// parting is how long Close waits for a target that does not take what is left.
const parting = time.Second

// Target is a place for entries. Its methods are called by one goroutine at a time.
type Target interface {
	// Write writes whole entries. lost is how many of them were not, because of
	// err; nobody tries again.
	Write(entries []byte) (lost int, err error)
	// Reopen begins anew what a name stands for, if the target is such a thing. On
	// an error the target goes on with what it had.
	Reopen() error
	// Close gives back what the target took from the kernel.
	Close() error
}

// Writer gives entries to a target without waiting for it. Any goroutine may use
// it. A nil Writer takes everything and does nothing.
type Writer struct {
	target Target
	limit  int
	losses losses
	wake   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	pending []byte
	count   int // entries in pending
	reopen  bool
	closed  bool
}

// NewWriter starts a writer to target, which it owns from then on. limit is how
// many bytes may wait. report is told what was lost, of which err is the cause,
// or nil if there was no room: at once, and then at most every ten seconds. With
// lost 0 it is told of a failed Reopen. It is called by goroutines of the writer.
func NewWriter(target Target, limit int, report func(lost int, err error)) *Writer {
	w := &Writer{target: target, limit: limit, losses: losses{report: report}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// Add lets entries be written, count of them. It keeps no reference to them.
func (w *Writer) Add(entries []byte, count int) {
	if w == nil || count == 0 {
		return
	}
	w.mu.Lock()
	room := !w.closed && len(w.pending)+len(entries) <= w.limit
	if room {
		w.pending = append(w.pending, entries...)
		w.count += count
	}
	w.mu.Unlock()
	if !room {
		w.losses.add(count, nil)
		return
	}
	w.signal()
}

// Reopen has the target reopened, after what was added before it was written.
// It does not wait for that.
func (w *Writer) Reopen() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.reopen = true
	w.mu.Unlock()
	w.signal()
}

// Close writes what is left and closes the target, but does not wait for more
// than a second. Entries added afterwards are lost.
func (w *Writer) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
	select {
	case <-w.done:
	case <-time.After(parting):
	}
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run writes what is pending until Close.
func (w *Writer) run() {
	defer close(w.done)
	var spare []byte
	for range w.wake {
		w.mu.Lock()
		entries, count, reopen, closed := w.pending, w.count, w.reopen, w.closed
		w.pending, w.count, w.reopen = spare[:0], 0, false
		w.mu.Unlock()
		if count > 0 {
			w.losses.add(w.target.Write(entries))
		}
		if reopen {
			if err := w.target.Reopen(); err != nil {
				w.losses.report(0, err)
			}
		}
		spare = entries
		if closed {
			w.losses.tell()
			_ = w.target.Close() // whatever was not written is counted
			return
		}
	}
}

// losses tells of lost entries: at once, and then of those that came since as
// long as there are any. Any goroutine may use it; the writer's own may be stuck.
type losses struct {
	report func(lost int, err error)

	mu    sync.Mutex
	count int
	err   error // the last that was not nil
	busy  bool  // a timer will tell of these
}

func (l *losses) add(count int, err error) {
	if count == 0 && err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count += count; err != nil {
		l.err = err
	}
	if !l.busy {
		l.busy = true
		time.AfterFunc(0, l.tell)
	}
}

// tell reports what there is, and looks again after a while.
func (l *losses) tell() {
	l.mu.Lock()
	count, err := l.count, l.err
	l.count, l.err = 0, nil
	if l.busy = count > 0 || err != nil; l.busy {
		time.AfterFunc(quiet, l.tell)
	}
	l.mu.Unlock()
	if count > 0 || err != nil {
		l.report(count, err)
	}
}
