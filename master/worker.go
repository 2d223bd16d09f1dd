package master

import (
	"fmt"
	"slices"
	"time"

	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// worker is what the master knows of the process of a slot, from the order to
// fork it until it was reaped. It is owned by the master's loop.
type worker struct {
	gen  *generation
	slot pool.SlotID
	pid  int // 0 until the mold said "forked"

	ordered time.Time // when the mold was told to fork it; zero while it waits its turn
	// orphaned: the mold died with the order in hand. The worker may exist or not.
	orphaned bool
	ready    bool   // it said so, perhaps before the mold said "forked"
	joined   bool   // the gateway was told
	refused  bool   // what it said when it was ready does not fit the others; it is being killed
	replaced bool   // it was retired because files changed
	released bool   // nobody can write to its own lane any more
	frozen   bool   // its control group is
	large    bool   // it has too much memory, and is being replaced
	reminded uint64 // the request for which it was signalled last
	phase    pool.Phase

	failure *bootFailure // what it said about itself
	death   *pool.Death

	report *dispatch.Channel
	heard  chan struct{} // closed when nobody listens to it any more; nil if nobody has
	stacks *stackFile    // where it shows what it does; nil if it cannot
	asking *asking       // somebody waits to see that
	silent bool          // the report socket is at its end
	reply  []int         // the gateway's ends, one for each loop
	own    *lane         // a lane of its own; nil if it has none
}

// equip makes the worker's sockets and returns its ends of them: report, its own
// lane if it gets one, then a reply socket for each loop. Those that notOurs names
// are the caller's to close.
func (w *worker) equip(loops int, own bool) (theirs []int, err error) {
	defer func() {
		if err != nil {
			closeAll(w.notOurs(theirs))
			theirs = nil
			w.release()
		}
	}()
	ours, its, err := dispatch.SocketPair()
	if err != nil {
		return theirs, fmt.Errorf("make the report socket of slot %d: %w", w.slot, err)
	}
	theirs = append(theirs, its)
	w.report, err = dispatch.NewChannel(ours, fmt.Sprintf("report %d", w.slot))
	if err != nil {
		return theirs, fmt.Errorf("watch the report socket of slot %d: %w", w.slot, err)
	}
	w.report.SetSendTimeout(sendLimit)
	if own {
		l, err := newOwnLane()
		if err != nil {
			return theirs, fmt.Errorf("slot %d: %w", w.slot, err)
		}
		w.own = &l
		theirs = append(theirs, l.workers)
	}
	for range loops {
		ours, its, err := dispatch.SocketPair()
		if err != nil {
			return theirs, fmt.Errorf("make a reply socket of slot %d: %w", w.slot, err)
		}
		widen(its, replyBuffer)
		w.reply = append(w.reply, ours)
		theirs = append(theirs, its)
	}
	return theirs, nil
}

// notOurs leaves out what the master keeps of the worker's ends of its sockets:
// that of the lane.
func (w *worker) notOurs(theirs []int) []int {
	return slices.DeleteFunc(slices.Clone(theirs), func(fd int) bool { return w.own != nil && fd == w.own.workers })
}

// dropOwn gives up a lane that the worker does not need.
func (w *worker) dropOwn() {
	if w.own != nil {
		w.own.close()
		w.own = nil
	}
}

// begin starts the goroutine that posts what the worker reports.
func (w *worker) begin(post func(fact)) {
	w.heard = make(chan struct{})
	go w.listen(w.report, w.heard, post)
}

// listen posts what the worker reports, until its end is closed by its death or
// ours by release. It closes our end, because the master may be gone by then; not if
// it is interrupted, for then another image of the process listens.
func (w *worker) listen(report *dispatch.Channel, heard chan<- struct{}, post func(fact)) {
	defer close(heard)
	for {
		msg, fds, err := report.Receive()
		if interrupted(err) {
			return
		}
		if word(msg) == "stacks" {
			if file := newStackFile(msg, fds); file != nil {
				post(stacksOffered{w, file})
			}
			continue
		}
		closeAll(fds)
		if err != nil {
			_ = report.Close() // read side; nothing to lose
			post(workerHungUp{w})
			return
		}
		post(workerSaid{w, msg})
	}
}

// release closes the reply sockets, and the report socket unless somebody
// listens to it: the last words of a dead worker may still be in it.
func (w *worker) release() {
	closeAll(w.reply)
	w.reply = nil
	w.dropOwn()
	w.dropStacks()
	if w.report != nil && w.ordered.IsZero() {
		_ = w.report.Close() // nothing was said yet
		w.report = nil
	}
}

// idle reports that the worker could take a request.
func (w *worker) idle() bool { return w.pid != 0 && w.phase == pool.Idle }

// pending reports that the mold has the order to fork this worker and has not
// answered.
func (w *worker) pending() bool { return !w.ordered.IsZero() && w.pid == 0 }

// part is the name of the worker's control group.
func (w *worker) part() string { return parts.Worker(int(w.slot), w.gen.number, w.pid) }
