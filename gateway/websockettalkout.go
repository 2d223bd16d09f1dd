package gateway

import (
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/websocket"
)

// relay passes on what the worker has said, unless the client still has to take what
// came before.
func (l *loop) relay(t *smallTalk) {
	if len(t.unsent) > 0 {
		t.waiting = true
		return
	}
	n, err := l.inbox.receive(t.worker)
	for err == unix.EINTR || err == unix.ECONNRESET {
		n, err = l.inbox.receive(t.worker) // the reset is told once, ahead of what was said
	}
	if err == unix.EAGAIN {
		return
	}
	if err != nil {
		l.handBack(t) // receiving there finds the same
		return
	}
	frames, done := l.frame(t, n)
	l.out = frames[:0]
	if len(frames) > 0 {
		l.send(t, frames)
	}
	switch {
	case l.endIfBroken(t):
	case done < n:
		l.leaveSaid(t, done, n)
		l.handBack(t)
	case n < replyBatch:
	case len(t.unsent) > 0:
		t.waiting = true
	default:
		l.watchWorker(t) // reports it again, after others had their turn
	}
}

// frame makes frames of the messages that were received, until one is not for a loop,
// and returns how many it made.
func (l *loop) frame(t *smallTalk, n int) (frames []byte, done int) {
	frames = l.out[:0]
	size := 0
	for ; done < n; done++ {
		msg, fd, cut := l.inbox.message(done)
		if fd >= 0 || cut || len(msg) == 0 {
			break
		}
		m, err := readMessage(&l.reader, msg)
		if err != nil || m.data == nil {
			break
		}
		data, packed, err := l.gist.pack(t.v.out.deflate, m.data)
		if err != nil {
			break
		}
		if len(frames) > 0 && len(frames)+len(data)+websocket.MaxHeader > cap(frames) {
			l.send(t, frames)
			frames = frames[:0]
		}
		frames = append(websocket.AppendHeader(frames, m.op, true, packed, int64(len(data))), data...)
		size += len(data)
	}
	t.v.out.sent.Add(int64(size))
	return frames, done
}

// pack compresses a message where that was agreed to and is worth it; what it returns is
// good until the next. The error is errNotForLoop if it would take too long, or that of
// the compressor.
func (g *gist) pack(pool *websocket.Pool, data []byte) (out []byte, packed bool, err error) {
	if pool == nil || len(data) < deflateFloor {
		return data, false, nil
	}
	if len(data) > loopPacked {
		return nil, false, errNotForLoop
	}
	g.packed.Reset()
	g.source.Reset(data)
	err = pool.Deflate(&g.packed, &g.source)
	if err != nil || g.packed.Len() >= len(data) {
		return data, false, err
	}
	return g.packed.Bytes(), true, nil
}

// leaveSaid keeps the messages from the given one on for the goroutines. An end of file
// is none: it comes again.
func (l *loop) leaveSaid(t *smallTalk, from, n int) {
	for i := from; i < n; i++ {
		msg, fd, cut := l.inbox.message(i)
		switch {
		case cut:
			closeFD(fd)
			t.said = append(t.said, spokenRaw{fd: -1})
		case len(msg) > 0:
			t.said = append(t.said, spokenRaw{msg: append([]byte(nil), msg...), fd: fd})
		}
	}
}

// send gives frames to the client. What its socket does not take is kept, a copy. After
// an error t is broken, and the caller has to end it.
func (l *loop) send(t *smallTalk, p []byte) {
	if len(t.unsent) > 0 {
		t.unsent = append(t.unsent, p...)
		return
	}
	fd := t.v.x.conn.fd
	n, err := writeFD(fd, p)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		t.broken = true
		return
	}
	n = max(n, 0)
	l.figures.Sent += uint64(n)
	if n == len(p) {
		return
	}
	t.unsent = append([]byte(nil), p[n:]...)
	t.taken, t.since = 0, l.now
	l.watchClient(t)
}

// relayRest goes on with what the client did not take, and behind it with what waits.
func (l *loop) relayRest(t *smallTalk) {
	c := t.v.x.conn
	n, err := writeFD(c.fd, t.unsent)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		t.broken = true
		l.handBack(t)
		return
	}
	n = max(n, 0)
	l.figures.Sent += uint64(n)
	t.unsent = t.unsent[n:]
	if t.taken += n; t.taken >= writeStep { // its patience is for so many bytes
		t.taken, t.since = 0, l.now
	}
	if len(t.unsent) > 0 {
		return
	}
	t.unsent = nil
	l.watchClient(t)
	l.pongDue(t)
	if l.endIfBroken(t) || !t.waiting {
		return
	}
	t.waiting = false
	l.relay(t)
}

// pongDue answers the ping that came in the middle of a frame.
func (l *loop) pongDue(t *smallTalk) {
	w := &t.v.out
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pinged {
		w.pinged = false
		l.send(t, websocket.AppendFrame(nil, websocket.Pong, w.pingData))
	}
}

// endIfBroken hands a talk back whose client cannot be written to.
func (l *loop) endIfBroken(t *smallTalk) bool {
	if !t.broken {
		return false
	}
	l.handBack(t)
	return true
}
