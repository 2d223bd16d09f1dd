package gateway

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// lane is a loop's view of the socket from which workers take requests: one
// that all workers of a generation share, or one that is a worker's own.
type lane struct {
	generation int
	seats      int     // of each worker that takes from it
	worker     *worker // whose own it is; nil if it is shared
	fd         int     // our end
	peek       int     // the workers' end; looked at, and read only after its worker's death
	ends       *ends   // both, as all loops share them
	dispatched int     // requests of this loop that workers or the socket hold
	quota      int     // how many that may be
	full       bool    // until epoll says otherwise, a reply comes or the next sweep
	closed     bool    // this loop writes to it no more

	chosen []*request // an own lane: about to be sent to it
	left   []uint64   // an own lane: requests whose clients left, about to be told
}

// load is how many requests of this loop are with the worker, or will be.
func (ln *lane) load() int { return ln.dispatched + len(ln.chosen) }

// ends are the two ends of a lane. All loops use the same descriptors, so the
// last loop to let go of an end closes it.
type ends struct {
	gateway, workers int
	writers          atomic.Uint64 // loops that may still write to it, a bit for each
	holders          atomic.Uint64 // loops that may have requests on it
	emptied          atomic.Bool   // nothing is in it, nor will be
}

func newEnds(gateway, workers, loops int) *ends {
	e := &ends{gateway: gateway, workers: workers}
	e.writers.Store(1<<loops - 1)
	e.holders.Store(1<<loops - 1)
	return e
}

// lane is a loop's view of the lane that e belongs to; nil for no lane.
func (e *ends) lane(generation, seats int, own *worker) *lane {
	if e == nil {
		return nil
	}
	return &lane{generation: generation, seats: seats, worker: own, fd: e.gateway, peek: e.workers, ends: e}
}

// stopWriting says that a loop will send nothing more. Once the master has closed
// its copy too, the workers find the end of the lane.
func (e *ends) stopWriting(loop int) {
	if was := e.writers.And(^(1 << loop)); was == 1<<loop {
		closeFD(e.gateway)
	}
}

// letGo says that a loop has nothing to do with the lane any more. It reports
// whether that was the last one, which must close the workers' end.
func (e *ends) letGo(loop int) (last bool) {
	return e.holders.And(^(1 << loop)) == 1<<loop
}

// reclaim empties a lane from which nobody takes any more, and closes the
// workers' end. It returns the ids of the requests that no worker took.
func (e *ends) reclaim() (unread []uint64) {
	defer func() {
		closeFD(e.workers)
		e.emptied.Store(true)
	}()
	head := make([]byte, 64) // the rest of a datagram goes with its first bytes
	for {
		n, _, err := unix.Recvfrom(e.workers, head, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 { // EAGAIN: empty
			return unread
		}
		if id := requestID(head[:n]); id != 0 { // else it says that a client left
			unread = append(unread, id)
		}
	}
}

// requestID reads the id of a request from the start of its message; 0 if the
// message is a note about one, which has None where an environ, a scope or its values are.
func requestID(head []byte) uint64 {
	var rd dispatch.Reader
	rd.Reset(head)
	_, err := rd.Tuple()
	id, err2 := rd.Int()
	kind, err3 := rd.Kind()
	if errors.Join(err, err2, err3) != nil || kind == dispatch.KindNone {
		return 0
	}
	return uint64(id)
}

// course is where requests go, and in which form: what the last lane order
// said.
type course struct {
	generation int
	seats      int
	asgi       bool // scopes, else environs
	shared     bool // the workers share a lane, else each has its own
}

// useLane sends requests on a new course from now on; ln is the shared lane of
// it, or nil. Requests that wait here go there too, unless they are in the other
// form: those are refused. Those on an older lane are answered from it.
func (l *loop) useLane(c course, ln *lane) {
	l.quitShared()
	changed := l.course.generation != 0 && l.course.asgi != c.asgi
	l.course, l.lane, l.own, l.turn = c, ln, l.own[:0], 0
	l.form.follow(&c)
	for _, w := range l.workers {
		l.addOwn(w)
	}
	if ln != nil {
		l.watchLane(ln)
		l.setQuota()
	}
	if changed {
		l.refuseQueued()
	}
}

// watchLane prepares for the lane to fill up. Until it is, nothing is asked of it: a
// Unix socket says that it can be written whenever a message is taken from it, and so
// would wake the loop for every request that a worker takes.
func (l *loop) watchLane(ln *lane) {
	if err := l.watch(ln.fd, unix.EPOLLET, source{kind: aLane, lane: ln}); err != nil {
		l.log.Error("lane could not be watched", "error", err)
	}
}

// awaitRoom notes that a lane took no more. The next time that it would, its event
// says so, once.
func (l *loop) awaitRoom(ln *lane) {
	ln.full = true
	if ln.closed {
		return // not watched any more
	}
	if err := l.rewatch(ln.fd, unix.EPOLLOUT|unix.EPOLLET|unix.EPOLLONESHOT); err != nil {
		l.log.Error("lane could not be watched", "error", err)
	}
}

// refuseQueued refuses what waits: it was written in a form that the workers of
// the new course do not understand.
func (l *loop) refuseQueued() {
	for range l.queue.len() { // their connections may bring new ones meanwhile
		if r := l.queue.pop(); r.wanted() {
			l.fail(r, errFormChanged)
		} else {
			l.requests.drop(r)
		}
	}
}

// addOwn lets a worker's own lane take requests, if it is on the course.
//
// Its seats are shared out between the loops, at least one for each, so that none
// need know what the others sent. A worker may so be given as many requests more
// than it has seats as there are loops but one; those wait in the lane.
func (l *loop) addOwn(w *worker) {
	if w.own == nil || w.own.closed || l.course.shared || w.generation != l.course.generation {
		return
	}
	w.own.seats = l.course.seats
	w.own.quota = (w.own.seats + l.loopCount - 1) / l.loopCount
	l.own = append(l.own, w.own)
}

// closeLane makes this loop write to a lane no more.
func (l *loop) closeLane(ln *lane) {
	if ln.closed {
		return
	}
	ln.closed, ln.left = true, nil
	for i := range l.own {
		if l.own[i] == ln {
			l.own, l.turn = append(l.own[:i], l.own[i+1:]...), 0
			break
		}
	}
	l.unwatch(ln.fd)
	ln.ends.stopWriting(l.id)
}

// releaseWorker gives a worker with a lane of its own nothing more. It takes
// what is in the lane, answers what it has, and leaves.
func (l *loop) releaseWorker(pid int) {
	if w := l.workers[pid]; w != nil && w.own != nil {
		l.closeLane(w.own)
	}
}

// quitShared leaves the lane that the workers share, for good.
func (l *loop) quitShared() {
	if l.lane != nil {
		l.closeLane(l.lane)
		l.reclaim(l.lane.ends, nil, nil)
	}
}

// reclaim ends a lane: that of a worker that was reaped, because of which its
// requests fail (why), or one that the workers of a former generation share and go
// on to answer from (nil). Each loop calls it once it sends nothing there any more
// and has taken a dead worker's last replies; the last finds out what no worker
// ever took, and tells all. c gets what fails; it may be nil.
func (l *loop) reclaim(e *ends, why error, c *casualties) {
	if !e.letGo(l.id) {
		return
	}
	loops := l.gateway.loops
	back := make([][]uint64, len(loops))
	for _, id := range e.reclaim() {
		if loop := int(id >> loopShift); loop < len(back) {
			back[loop] = append(back[loop], id)
		}
	}
	for i, l := range loops {
		if !l.post(func(l *loop) { l.bury(e, back[i], why, c) }) {
			c.done(i)
		}
	}
}

// letGoOfLanes is the last act of a loop, which holds no request any more: what
// other loops have on the lanes must not wait for it.
func (l *loop) letGoOfLanes() {
	l.quitShared()
	for _, w := range l.workers {
		if w.own != nil {
			l.closeLane(w.own)
			l.reclaim(w.own.ends, errWorkerDied, nil)
		}
	}
}

// bury ends what was on a lane. What no worker ever took goes to another, before
// all that wait: nothing of it was done. The rest fails, unless there is no reason
// to.
func (l *loop) bury(e *ends, back []uint64, why error, c *casualties) {
	defer c.done(l.id)
	again := make([]*request, 0, len(back))
	for _, id := range back {
		r := l.requests.find(id)
		if r != nil && r.phase == dispatched && r.lane.ends == e && l.retrieve(r) {
			again = append(again, r)
		}
	}
	if why != nil {
		for _, r := range l.requests.all {
			switch {
			case r.lane == nil || r.lane.ends != e:
			case r.unbegun():
				if l.retrieve(r) {
					again = append(again, r)
				}
			default: // there is a reason for lanes of one worker only
				lost := l.lost(r, why, r.lane.worker.pid)
				c.add(lost)
				l.fail(r, lost)
			}
		}
	}
	l.queue.unpop(again)
}

// unbegun reports that no worker can have done anything of a request, although one may
// have taken it: the descriptor without which it cannot begin is still here.
func (r *request) unbegun() bool { return r.phase == dispatched && r.body != nil }

// retrieve takes a dispatched request back that no worker has begun. It reports whether
// that is to be queued again: not if its client left, or no worker understands it now.
func (l *loop) retrieve(r *request) bool {
	r.lane.dispatched--
	r.lane, r.phase, r.told, r.missed = nil, queued, false, 0
	switch {
	case !r.wanted():
		l.requests.drop(r)
	case r.asgi != l.course.asgi:
		l.fail(r, errFormChanged)
	default:
		return true
	}
	return false
}
