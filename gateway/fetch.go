package gateway

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// No message on a lane has a descriptor beside it: to be ready for one costs a worker more
// than anything else that it does to take a request (docs/adr/0018). The few requests that
// have one, large bodies and upgrades, keep it here until the worker that took the request
// asks for it on its reply socket.

// fetched answers a worker that asks for the descriptor of a request. r is that request, or
// nil if it has ended or was another gateway's: then the worker is told so and forgets it.
//
// The answer finds room, since a reply socket carries nothing else to the worker.
func (l *loop) fetched(w *worker, id uint64, r *request) {
	if r == nil || r.phase != dispatched || r.body == nil {
		l.log.Debug("worker asked for a descriptor that is not here", "pid", w.pid, "request", id)
		l.sendDescriptor(w, id, nil)
		return
	}
	r.line.trip.pid = w.pid
	if !r.wanted() {
		l.release(r) // its client left, and nothing of it was done
		l.sendDescriptor(w, id, nil)
		return
	}
	switch err := l.sendDescriptor(w, id, unix.UnixRights(int(r.body.Fd()))); err {
	case nil:
		_ = r.body.Close() // the message holds its own copy
		r.body = nil
	case unix.EPIPE, unix.ECONNRESET:
		// The worker died. As it has not begun, another will be given the request.
	default:
		// ETOOMANYREFS: the user of this process has as many descriptors in flight as it may.
		l.log.Warn("descriptor could not be given to a worker", "pid", w.pid, "request", id, "error", err)
		l.fail(r, fmt.Errorf("%w: %w", errDescriptors, err))
		l.sendDescriptor(w, id, nil)
	}
}

// sendDescriptor sends a worker the descriptor in rights, or the news that there is none.
func (l *loop) sendDescriptor(w *worker, id uint64, rights []byte) error {
	msg := dispatch.AppendInt(dispatch.AppendTuple(nil, 1), int64(id))
	for {
		err := unix.Sendmsg(w.fd, msg, rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return err
		}
	}
}
