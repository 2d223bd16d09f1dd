package gateway

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// answer is what a goroutine that waits for a request's answer is sent: the
// reply message, then for a streamed one the message that ends it; or why there
// is none. The goroutine owns message and file.
type answer struct {
	message []byte
	file    *os.File
	failed  error
	hints   bool // an informational response: another answer follows
	trip    trip
}

const (
	// maxHints is how many informational responses one request may have. They
	// are advice, and a loop never waits: further ones are dropped.
	maxHints = 16
	// answerRoom is how many answers one request can get: informational ones, a
	// reply and its end, or why there is none.
	answerRoom = maxHints + 2
)

// replies takes what a worker has sent on its reply socket.
func (l *loop) replies(w *worker) {
	for {
		n, err := l.inbox.receive(w.fd)
		if err == unix.EINTR || err == unix.ECONNRESET {
			continue // the reset is told once, ahead of what the dead worker had sent
		}
		if err != nil { // EAGAIN: none left
			return
		}
		for i := range n {
			msg, fd, cut := l.inbox.message(i)
			switch {
			case len(msg) == 0: // the worker closed it; the leave order will follow
				l.unwatch(w.fd)
				return
			case cut:
				l.log.Error("reply was cut", "pid", w.pid, "limit", dispatch.MaxMessage)
				closeFD(fd)
			default:
				l.reply(w, msg, fd)
			}
		}
		if n < replyBatch {
			return
		}
	}
}

// reply acts on one reply message. fd came beside it, or is -1.
func (l *loop) reply(w *worker, msg []byte, fd int) {
	l.reader.Reset(msg)
	items, err := l.reader.Tuple()
	id, err2 := l.reader.Int()
	r := l.requests.find(uint64(id))
	if err == nil && err2 == nil && items == 2 {
		closeFD(fd)
		l.fetched(w, uint64(id), r)
		return
	}
	if err != nil || err2 != nil || r == nil || r.phase == queued {
		// Of a request that an earlier gateway dispatched or that was given up.
		l.log.Debug("reply found no request", "pid", w.pid)
		closeFD(fd)
		return
	}
	r.line.trip.pid = w.pid
	switch kind, err := l.reader.Kind(); {
	case err != nil:
		closeFD(fd)
		l.fail(r, fmt.Errorf("%w: %w", errBadReply, err))
	case kind == dispatch.KindNone:
		closeFD(fd)
		l.end(r, msg)
	case items == 3:
		closeFD(fd)
		l.inform(r, msg)
	case r.phase == begun:
		closeFD(fd)
		l.log.Error("reply came twice", "pid", w.pid)
	case fd < 0 && items == 4 && r.conn != nil:
		l.answer(r)
	case fd >= 0 && items == 4 && r.conn != nil && l.answerFromMemory(r, fd):
	default:
		l.answerOdd(r, items, msg, fd)
	}
}

// answer writes a finished reply to its client: the express path. The reader
// stands before the status.
func (l *loop) answer(r *request) {
	c := r.conn
	state := r.asked
	state.keep = state.keep && !c.ended && (!l.draining || l.gateway.passes(c))
	out, facts, err := appendReplyHead(l.out[:0], &l.reader, l.date.at(l.now), state)
	var body []byte
	if err == nil {
		body, err = l.reader.Bytes()
	}
	if err == nil {
		out = appendFinished(out, facts, body, &state)
	}
	l.out = out[:0]
	if err != nil {
		l.fail(r, err)
		return
	}
	if wrong := facts.length >= 0 && !facts.bodiless && facts.length != int64(len(body)); wrong {
		l.log.Error("application declared another length", "request", r.id, "declared", facts.length, "body", len(body))
	}
	l.answered++
	r.line.finish(l, facts.status, facts.sent(body), out)
	l.release(r)
	c.last = !state.keep
	l.write(c, out)
}

// answerOdd hands a reply that is more than one message to a goroutine: to the
// one that waits for it, or to a new one that the connection is lent to.
func (l *loop) answerOdd(r *request, items int, msg []byte, fd int) {
	streamed := items == 5
	a := answer{message: append([]byte(nil), msg...), trip: r.line.trip}
	if fd >= 0 {
		_ = unix.SetNonblock(fd, true) // for a stream: the runtime's poller waits for it
		a.file = os.NewFile(uintptr(fd), "reply")
	}
	if l.lendFor(r) {
		r.answers <- a
	} else {
		a.close()
	}
	if streamed {
		if r.lent != nil {
			atomic.StoreInt64(&r.lent.moved, l.now)
		}
		r.phase = begun
		return
	}
	l.answered++
	l.release(r)
}

// lendFor makes r one whose answers a goroutine waits for, and lends its
// connection for that if it is not lent yet. It reports false when nobody waits:
// the client left, or it could not be lent and was told so.
func (l *loop) lendFor(r *request) bool {
	if r.answers != nil {
		return true
	}
	if r.conn == nil {
		return false
	}
	c, state := r.conn, r.asked.detach()
	answers, line := make(chan answer, answerRoom), r.line
	if err := l.lend(c, c.pending, func(x *exchange) { x.finish(answers, state, line) }); err != nil {
		l.decline(r, err)
		return false
	}
	r.line.detach() // its memory is the goroutine's
	r.conn, r.lent, r.answers = nil, c, answers
	return true
}

// inform passes an informational response on. Clients that speak HTTP/1.0 know
// none (RFC 9110 section 15.2).
func (l *loop) inform(r *request, msg []byte) {
	if r.phase == begun || r.asked.minor == 0 || r.hinted == maxHints || !l.lendFor(r) {
		l.log.Debug("informational response dropped", "request", r.id)
		return
	}
	r.hinted++
	r.answers <- answer{message: append([]byte(nil), msg...), hints: true}
}

// clientLeft lets go of a client that left while its connection was lent. The
// goroutine that waits for the answer is told; a worker that has the request
// learns it by its stream, and its reply will find no one.
func (l *loop) clientLeft(c *conn) {
	r := c.request
	if r == nil || r.answers == nil {
		return
	}
	l.tellLeft(r)
	r.answers <- answer{failed: errClientLeft}
	r.answers, r.lent, c.request = nil, nil, nil
}

// end takes the message that ends a streamed reply.
func (l *loop) end(r *request, msg []byte) {
	if r.answers != nil {
		r.answers <- answer{message: append([]byte(nil), msg...), trip: r.line.trip}
	}
	l.answered++
	l.release(r)
}

// release ends a request that a worker has answered and frees its place.
func (l *loop) release(r *request) {
	if r.lane != nil {
		r.lane.dispatched--
		r.lane.full = false
	}
	l.requests.drop(r)
}

// isEnd reports whether a is the message that ends a reply or a conversation.
func (a *answer) isEnd() bool {
	var rd dispatch.Reader
	rd.Reset(a.message)
	_, err1 := rd.Tuple()
	_, err2 := rd.Int()
	kind, err3 := rd.Kind()
	return err1 == nil && err2 == nil && err3 == nil && kind == dispatch.KindNone
}

func (a *answer) close() {
	if a.file != nil {
		_ = a.file.Close() // the reader's end; nothing to lose
	}
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
