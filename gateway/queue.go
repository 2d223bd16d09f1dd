package gateway

import (
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// queue is the requests that wait for a place on the lane, first come first
// served. It grows as needed; the limit is the loop's business.
type queue struct {
	items []*request
	first int
}

func (q *queue) len() int { return len(q.items) - q.first }

func (q *queue) push(r *request) { q.items = append(q.items, r) }

func (q *queue) pop() *request {
	r := q.items[q.first]
	q.items[q.first] = nil
	q.first++
	switch {
	case q.first == len(q.items):
		q.items, q.first = q.items[:0], 0
	case q.first >= 1024 && q.first*2 > len(q.items):
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	return r
}

// oldest is since when the first of them waits (CLOCK_MONOTONIC ns); 0 if none does.
func (q *queue) oldest() int64 {
	if q.len() == 0 {
		return 0
	}
	return q.items[q.first].since
}

// unpop puts requests back at the front, in the order in which they were taken.
func (q *queue) unpop(rs []*request) {
	if q.first < len(rs) {
		q.items = append(append(make([]*request, 0, len(rs)+q.len()), rs...), q.items[q.first:]...)
		q.first = 0
		return
	}
	q.first -= len(rs)
	copy(q.items[q.first:], rs)
}

// enqueue lets r wait for a worker. The caller has filled r in; flush, at the
// end of the round, sends it.
func (l *loop) enqueue(r *request) error {
	if len(r.msg) > dispatch.MaxMessage {
		return errTooLarge
	}
	if l.queue.len() >= l.limits.queue {
		return errQueueFull
	}
	r.since = l.now
	l.queue.push(r)
	return nil
}

// flush gives waiting requests to the workers, as many as their lanes may hold.
// The rest waits here, where a client that leaves takes its request with it.
func (l *loop) flush() {
	if len(l.telling) > 0 {
		l.tell()
	}
	if l.lane == nil {
		l.flushOwn()
		return
	}
	for l.lane != nil && !l.lane.full && l.lane.dispatched < l.lane.quota && l.queue.len() > 0 {
		l.batch = l.batch[:0]
		for l.queue.len() > 0 && l.lane.dispatched+len(l.batch) < l.lane.quota && !l.outbox.full() {
			r := l.queue.pop()
			if !r.wanted() {
				l.requests.drop(r)
				continue
			}
			l.outbox.add(r.msg)
			l.batch = append(l.batch, r)
		}
		if len(l.batch) > 0 {
			l.sendBatch(l.lane, l.batch)
		}
	}
}

// sendBatch sends to a lane what was put into the outbox for it.
func (l *loop) sendBatch(ln *lane, requests []*request) {
	sent, err := l.outbox.send(ln.fd)
	for _, r := range requests[:sent] {
		if !r.line.trip.dispatched { // else it came back from a lane that nobody reads any more
			l.figures.waited(l.now - r.since)
		}
		r.line.trip = trip{dispatched: true, waited: l.now - r.since}
		r.phase, r.lane, r.since = dispatched, ln, l.now
		ln.dispatched++
		if r.asgi && r.conn != nil && r.conn.ended {
			l.tellLeft(r) // it sent its end while the request was queued
		}
	}
	rest := requests[sent:]
	switch {
	case len(rest) == 0:
	case err == unix.EMSGSIZE || err == unix.EINVAL:
		// The kernel will never take this one; the others are not to blame.
		l.fail(rest[0], errTooLarge)
		l.queue.unpop(rest[1:])
	default:
		if err != unix.EAGAIN && err != unix.ENOBUFS && err != unix.ETOOMANYREFS {
			l.log.Error("lane could not be written", "generation", ln.generation, "error", err)
		}
		l.queue.unpop(rest)
		l.awaitRoom(ln)
	}
}

// setQuota says how many requests the shared lane may hold: for every seat one to work
// on and one to go on with, and as many as the workers answered in a millisecond
// lately. Workers that take microseconds then find a next request without the
// gateway having to be woken for each, and many leave in one call; workers that
// take long hold back nothing that a client might still withdraw. The loops
// share the seats out; each counts its own answers.
func (l *loop) setQuota() {
	if l.lane == nil {
		return
	}
	workers := 0
	for _, w := range l.workers {
		if w.generation == l.lane.generation && w.own == nil {
			workers++
		}
	}
	if workers == 0 {
		l.lane.quota = 0
		return
	}
	places := workers * l.lane.seats * 2
	l.lane.quota = (places+l.loopCount-1)/l.loopCount + l.pace
}

// keepPace measures how many requests were answered per millisecond since the
// last time.
func (l *loop) keepPace(elapsed int64) {
	const millisecond = 1e6
	l.pace = int(int64(l.answered-l.answeredBefore) * millisecond / max(elapsed, millisecond))
	l.answeredBefore = l.answered
	l.setQuota()
}

// sweepQueue answers those who waited too long, and those who left.
func (l *loop) sweepQueue() {
	if l.lane != nil {
		l.lane.full = false
	}
	for _, ln := range l.own {
		ln.full = false
	}
	for l.queue.len() > 0 {
		r := l.queue.items[l.queue.first]
		if r.wanted() && l.now-r.since < l.limits.queueTimeout {
			return // the queue is in the order of since
		}
		l.queue.pop()
		if r.wanted() {
			l.fail(r, errQueueTimeout)
		} else {
			l.requests.drop(r)
		}
	}
}
