package gateway

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

// gist is what a loop makes of the frames that it reads at a time; its memory is used
// again.
type gist struct {
	head   websocket.Header
	words  []byte // messages for the worker, one behind the other
	frames []place
	pongs  []byte
	plain  []byte       // what was inflated
	packed bytes.Buffer // what was compressed
	source bytes.Reader // of what is compressed
}

// place is where a frame lies whose message waits in the outbox.
type place struct {
	at, payload, end int
	mask             [4]byte
}

// hearClient reads what the client has sent. A conversation whose worker has no room leaves
// it where it is.
func (l *loop) hearClient(t *smallTalk) {
	c := t.v.x.conn
	if t.full {
		t.unread = true
		return
	}
	kept := len(c.pending)
	buffer := l.room(c)
	buffer = buffer[:min(len(buffer), max(kept+talkRead, c.need))]
	n, err := readFD(c.fd, buffer[kept:])
	if err == unix.EAGAIN {
		return
	}
	if err != nil || n == 0 {
		l.handBack(t) // listening there finds the same
		return
	}
	l.figures.Received += uint64(n)
	t.v.pulse.last.Store(l.now)
	if kept > 0 {
		c.pending = buffer[:kept+n]
	}
	// A short read emptied the socket. An end that was reported with the bytes, and will
	// not be again, must still be read.
	t.unread = kept+n == len(buffer) || c.ended
	l.hear(t, buffer[:kept+n])
	if c.talk == t && t.unread && !t.full {
		t.unread = false
		l.watchClient(t) // reports it again, after others had their turn
	}
}

// hearAgain goes on with what the worker had no room for.
func (l *loop) hearAgain(t *smallTalk) {
	c := t.v.x.conn
	t.full = false
	l.watchWorker(t)
	t.v.pulse.last.Store(l.now)
	l.hear(t, c.pending)
	if c.talk == t && t.unread && !t.full {
		l.hearClient(t)
	}
}

// hear acts on frames that were read, and keeps what remains of them. data may be
// conn.pending.
func (l *loop) hear(t *smallTalk, data []byte) {
	c := t.v.x.conn
	l.gist.pongs = l.gist.pongs[:0]
	used, err := l.pass(t, data)
	l.keep(c, data[used:])
	l.pong(t, l.gist.pongs)
	switch {
	case err == unix.EAGAIN:
		t.full = true
		t.v.pulse.hold() // from now on the client cannot be heard
		l.watchWorker(t)
		l.endIfBroken(t)
	case err != nil:
		l.handBack(t)
	default:
		l.endIfBroken(t)
	}
}

// pass gives the messages at the start of data to the worker and gathers the pongs. It
// returns how much of data is done with; the rest is as it came. The error is EAGAIN if
// the worker has no room for what comes next, errNotForLoop if that is for the
// goroutines, or why nothing can be sent to the worker.
func (l *loop) pass(t *smallTalk, data []byte) (used int, err error) {
	g, c := &l.gist, t.v.x.conn
	h := &g.head
	g.words, g.frames, c.need = g.words[:0], g.frames[:0], 0
	at := 0
	for at < len(data) && err == nil {
		n, odd := h.Parse(data[at:])
		if odd != nil || n > 0 && !t.forLoop(h) {
			err = errNotForLoop
			break
		}
		end := at + n + int(h.Length)
		if n == 0 || end > len(data) {
			if n > 0 {
				c.need = end - at
			}
			break
		}
		switch payload := data[at+n : end]; h.Opcode {
		case websocket.Pong:
		case websocket.Ping:
			// What came before must be gone: what is kept will be read again.
			if at, err = l.flushFrames(t, data, at); err != nil {
				return at, err
			}
			begin := len(g.pongs) + 2 // behind the header of a short frame
			g.pongs = websocket.AppendFrame(g.pongs, websocket.Pong, payload)
			websocket.Unmask(g.pongs[begin:], h.Mask, 0)
		default:
			err = g.add(t, l.outbox, payload, place{at: at, payload: at + n, end: end, mask: h.Mask})
		}
		if err != nil {
			break
		}
		at = end
		if len(g.frames) == talkBatch {
			at, err = l.flushFrames(t, data, at)
		}
	}
	done, failed := l.flushFrames(t, data, at)
	if failed != nil {
		err = failed
	}
	return done, err
}

// forLoop reports whether a frame is one that a loop acts upon.
func (t *smallTalk) forLoop(h *websocket.Header) bool {
	switch h.Opcode {
	case websocket.Ping, websocket.Pong:
		return true
	case websocket.Text, websocket.Binary:
		most := min(inlineMessage, t.v.x.gateway.config.WebSocket.MaxSize)
		if h.Compressed {
			return h.Fin && t.v.out.deflate != nil && h.Length <= min(most, loopPacked)
		}
		return h.Fin && h.Length <= most
	}
	return false
}

// add makes a message of a frame's payload, which is unmasked in place, and puts it into
// out. The error is errNotForLoop for what is damaged, too long or no text; then the
// payload is as it was.
func (g *gist) add(t *smallTalk, out *outbox, payload []byte, p place) error {
	websocket.Unmask(payload, p.mask, 0)
	content, good := payload, true
	if g.head.Compressed {
		most := min(loopPacked, t.v.x.gateway.config.WebSocket.MaxSize)
		g.plain, good = t.v.out.deflate.AppendInflated(g.plain[:0], payload, int(most))
		content = g.plain
	}
	if !good || g.head.Opcode == websocket.Text && !utf8.Valid(content) {
		websocket.Unmask(payload, p.mask, 0)
		return errNotForLoop
	}
	start := len(g.words)
	words := dispatch.AppendTuple(g.words, 2)
	if g.head.Opcode == websocket.Text {
		words = dispatch.AppendText(dispatch.AppendKey(words, "text"), content)
	} else {
		words = dispatch.AppendBytes(dispatch.AppendKey(words, "bytes"), content)
	}
	g.words = words
	g.frames = append(g.frames, p)
	out.add(words[start:])
	return nil
}

// flushFrames sends what is in the outbox. It returns how much of data is done with: at,
// or where the first frame begins whose message could not be sent. Those are masked
// again, to be read once more.
func (l *loop) flushFrames(t *smallTalk, data []byte, at int) (int, error) {
	g := &l.gist
	sent, err := l.sendOut(t.worker)
	if sent < len(g.frames) {
		at = g.frames[sent].at
		for _, p := range g.frames[sent:] {
			websocket.Unmask(data[p.payload:p.end], p.mask, 0)
		}
	}
	if cap(g.words) > keepLarge {
		g.words = nil
	}
	g.words, g.frames = g.words[:0], g.frames[:0]
	return at, err
}

// sendOut sends the outbox; a single message, as most are, by the shorter call.
func (l *loop) sendOut(fd int) (int, error) {
	switch l.outbox.n {
	case 0:
		return 0, nil
	case 1:
		l.outbox.n = 0
		if _, err := writeFD(fd, l.gist.words); err != nil {
			return 0, err
		}
		return 1, nil
	}
	return l.outbox.send(fd)
}

// pong answers pings. In the middle of a frame only the last of them is remembered (RFC
// 6455 section 5.5.3).
func (l *loop) pong(t *smallTalk, frames []byte) {
	if len(frames) == 0 {
		return
	}
	if len(t.unsent) == 0 {
		l.send(t, frames)
		return
	}
	last := frames
	for len(frames) > 0 {
		last = frames
		frames = frames[2+int(frames[1]):]
	}
	w := &t.v.out
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pinged, w.pingData = true, append(w.pingData[:0], last[2:]...)
}
