package gateway

import (
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// join takes replies from a worker from now on, and gives it requests if it has
// a lane of its own.
func (l *loop) join(w *worker) {
	l.workers[w.pid] = w
	if err := l.watch(w.fd, unix.EPOLLIN|unix.EPOLLET, source{kind: aReplySocket, worker: w}); err != nil {
		l.log.Error("reply socket could not be watched", "pid", w.pid, "error", err)
	}
	if w.own != nil {
		l.watchLane(w.own)
		l.addOwn(w)
	}
	l.setQuota()
}

// leave ends what a reaped worker held. Replies that it sent before it ended are
// taken first. What it held is in its lane, if it has one of its own; else the
// master knows some of it and the rest is searched for. c gets what is known now; nil if
// nobody wants to hear of it.
func (l *loop) leave(pid int, why error, held []uint64, c *casualties) {
	w := l.workers[pid]
	if w != nil {
		l.replies(w)
		if l.sources[w.fd].worker == w {
			l.unwatch(w.fd)
		}
		_ = unix.Close(w.fd) // the master has the other copy
		delete(l.workers, pid)
		l.setQuota()
	}
	if w != nil && w.own != nil {
		l.closeLane(w.own)
		l.reclaim(w.own.ends, why, c)
		return
	}
	for _, id := range held {
		if r := l.requests.find(id); r != nil && r.phase != queued {
			lost := l.lost(r, why, pid)
			c.add(lost)
			l.fail(r, lost)
		}
	}
	c.done(l.id)
	l.searched, l.searchUntil = l.now, max(l.searchUntil, l.now+searchTime)
	// Looked for at once, what is missed is missed before a successor is ready. Its first beat tells that it has not
	// taken it; after a later look that would take a second one.
	l.searchLost()
}

// searchLost looks for requests that no one holds any more. A worker that is
// killed between taking a request from the lane and writing its id to the
// scoreboard leaves no trace of it, so after a death this asks of each
// dispatched request: is it still in the lane, or in the row of a seat?
//
// A living worker may be in that same gap. It has written nothing since it took
// the request, so a missed request counts as lost only when every seat that
// was idle then has shown a sign of life since; a worker does so at least once a
// second. Until then the search goes on.
func (l *loop) searchLost() {
	if l.alone {
		l.buryAlone()
	}
	held := l.heldIDs()
	taken, empty := l.takenUpTo()
	var lost []uint64
	for _, r := range l.requests.all {
		if r.phase != dispatched || r.lane.worker != nil {
			continue // what is on a worker's own lane, reclaim finds
		}
		left := r.lane.ends.emptied.Load() // the lane of a former generation
		if r.lane == l.lane {
			left = empty || before(r.id&seqMask, taken)
		}
		missed := left && !held[r.id]
		switch {
		case !missed:
			r.missed = 0
		case r.missed == 0:
			r.missed = l.now
			l.searchUntil = max(l.searchUntil, l.now+searchTime)
		case l.seatsBeatSince(r.missed):
			lost = append(lost, r.id)
		default:
			l.searchUntil = max(l.searchUntil, l.now+searchTime)
		}
	}
	l.giveUpLost(lost)
}

// giveUpLost fails requests that no seat holds. A worker sends its reply before it
// beats and clears its row, so what one has answered meanwhile is in its reply socket,
// and this loop may not have got to that: it was stopped, or is late.
func (l *loop) giveUpLost(ids []uint64) {
	if len(ids) == 0 {
		return
	}
	for _, w := range l.workers {
		if w.own == nil {
			l.replies(w)
		}
	}
	for _, id := range ids {
		r := l.requests.find(id)
		switch {
		case r == nil || r.phase != dispatched:
		case r.unbegun():
			if l.retrieve(r) {
				l.queue.unpop([]*request{r})
			}
		default:
			l.log.Warn("request was lost with its worker", "request", id)
			l.fail(r, l.lost(r, errWorkerDied, 0))
		}
	}
}

// seatsBeatSince reports whether no living seat can be holding a request that
// was missed at that time without having said so.
func (l *loop) seatsBeatSince(then int64) bool {
	for _, w := range l.workers {
		board := l.boards[w.generation]
		if w.own != nil || board == nil {
			continue
		}
		for seat := range board.Seats() {
			row := board.Seat(w.slot, seat)
			if id, _ := row.Request(); id == 0 && row.Beat() <= then && !gone(w.pid) {
				return false
			}
		}
	}
	return !l.strangerServes()
}

// strangerServes reports that a living worker takes requests which this gateway has not
// been told of: the master is late. Its replies wait where we cannot hear them yet, and
// if the master is gone we never shall.
func (l *loop) strangerServes() bool {
	if l.alone {
		return false
	}
	for _, board := range l.boards {
		for slot := range board.Slots() {
			row := board.Seat(slot, 0)
			if pid := row.PID(); pid != 0 && l.workers[pid] == nil && row.Beat() != 0 && !gone(pid) {
				return true
			}
		}
	}
	return false
}

// buryAlone does for workers with lanes of their own what the master's orders to
// leave do as long as there is one.
func (l *loop) buryAlone() {
	for pid, w := range l.workers {
		if w.own != nil && gone(pid) {
			l.leave(pid, errWorkerDied, nil, nil)
		}
	}
}

// gone reports that a process has ended and been reaped. Normally the master's
// order to leave says so; this is for when the master is gone itself.
func gone(pid int) bool { return unix.Kill(pid, 0) == unix.ESRCH }

// heldIDs returns the ids in the rows of all seats whose processes live.
func (l *loop) heldIDs() map[uint64]bool {
	held := map[uint64]bool{}
	for _, board := range l.boards {
		for slot := range board.Slots() {
			for seat := range board.Seats() {
				row := board.Seat(slot, seat)
				if id, _ := row.Request(); id != 0 && !gone(row.PID()) {
					held[id] = true
				}
			}
		}
	}
	return held
}

// takenUpTo tells which of this loop's requests have been taken from the lane:
// all (empty), or those whose sequence number is before the returned one. The
// lane is first in, first out, so the first message in it is a mark; if that is
// another loop's, nothing is known this time.
func (l *loop) takenUpTo() (seq uint64, empty bool) {
	if l.lane == nil {
		return 0, false
	}
	var start [64]byte
	n, _, err := unix.Recvfrom(l.lane.peek, start[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err == unix.EAGAIN {
		return 0, true
	}
	if err != nil || n == 0 {
		return 0, false
	}
	var rd dispatch.Reader
	rd.Reset(start[:n])
	if _, err := rd.Tuple(); err != nil {
		return 0, false
	}
	id, err := rd.Int()
	if err != nil || uint64(id)>>epochShift != l.requests.prefix>>epochShift {
		return 0, false
	}
	return uint64(id) & seqMask, false
}
