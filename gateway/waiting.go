package gateway

import (
	"golang.org/x/sys/unix"
)

// oldestWaiting returns since when that request of the loop waits for a worker which
// has waited longest, in nanoseconds of CLOCK_MONOTONIC; 0 if none waits. It waits
// in the queue, or in a lane from which no worker has taken it yet.
//
// A lane is looked into only while something is on it, ten times a second.
func (l *loop) oldestWaiting() int64 {
	oldest := l.queue.oldest()
	if l.lane != nil {
		oldest = earlier(oldest, l.unreadSince(l.lane))
	}
	for _, ln := range l.own {
		oldest = earlier(oldest, l.unreadSince(ln))
	}
	return oldest
}

// unreadSince returns since when the first request in a lane waits; 0 if it is
// empty, or another loop's request is the first: that loop tells of it.
func (l *loop) unreadSince(ln *lane) int64 {
	if ln.dispatched == 0 {
		return 0
	}
	n, _, err := unix.Recvfrom(ln.peek, l.peeked[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err != nil || n == 0 { // EAGAIN: empty
		return 0
	}
	r := l.requests.find(requestID(l.peeked[:n]))
	if r == nil || r.phase != dispatched {
		return 0
	}
	return r.since - r.line.trip.waited
}

// earlier returns the earlier of two instants of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
