package gateway

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/http1"
)

// connPhase is where a client's connection stands.
type connPhase uint8

const (
	reading   connPhase = iota // between two requests, or with a part of one
	waiting                    // a request is queued or with a worker
	writing                    // the socket did not take the whole response yet
	lent                       // in the hands of a goroutine
	handed                     // on its way to another gateway, and not watched
	lingering                  // we said our last word and read until the client has too
	closed
	numConnPhases
)

var connPhaseNames = [numConnPhases]string{"reading", "waiting", "writing", "lent", "handed", "lingering", "closed"}

func (p connPhase) String() string { return connPhaseNames[p] }

// connMoves holds every lawful step of a connection. What is not here is a bug
// of ours, and enter panics on it: going on would answer the wrong client.
var connMoves = [numConnPhases][]connPhase{
	reading:   {waiting, writing, lent, handed, lingering, closed},
	waiting:   {reading, writing, lent, handed, lingering, closed},
	writing:   {reading, handed, lingering, closed},
	lent:      {reading, handed, lingering, closed},
	handed:    {reading, waiting, closed},
	lingering: {closed},
	closed:    {},
}

// conn is one client. It belongs to one loop, and while it is lent to one
// goroutine.
type conn struct {
	fd       int
	listener *listener
	phase    connPhase
	client   []byte // the peer's address as text, empty on a Unix socket
	port     []byte // its port in decimal
	peer     []byte // both as REMOTE_ADDR and REMOTE_PORT of the environ
	trusted  bool   // it may speak for a client
	secure   bool   // a PROXY header says that the client spoke TLS
	tls      []byte // what the environ says of the connection's security
	http2    bool   // it is a stream of a connection that speaks HTTP/2, or that connection
	position int    // in loop.conns

	pending []byte // bytes that were read and belong to no dispatched request
	need    int    // how many of them make the request complete, 0 if unknown
	out     []byte // what is left to write
	request *request

	talk    *smallTalk  // lent: the conversation that the loop carries, or nil
	partial *http1.Head // the parser of a head that comes in pieces

	unannounced bool       // its PROXY header has not come yet
	stranger    error      // why it is not served at all
	about       *announced // what that header said of the client; nil if nothing

	fresh    bool  // it has had no request yet
	begun    bool  // a part of a request has arrived
	readable bool  // epoll reported bytes that were not read yet
	ended    bool  // the client will send no more (half-closed)
	parted   bool  // it said so, of the request in hand: Connection: close, or HTTP/1.0
	left     bool  // the client is gone, both ways
	last     bool  // close after this response
	stays    bool  // no other gateway takes it
	held     bool  // none takes the request that waits; without it, it may
	deadline int64 // CLOCK_MONOTONIC ns, 0 for none

	uptake uptake // of what is being sent

	// sending is when the sending began that waits for the client now, in ns of
	// CLOCK_MONOTONIC; 0 if none does. Written and read as moved is.
	sending int64

	// moved is when a part of a stream was last sent, in ns of CLOCK_MONOTONIC. It is
	// written and read atomically: by the goroutine that c is lent to, and its loop.
	moved int64
}

// enter is the only code that writes c.phase. A phase brings its deadline with
// it; entering the one a connection is in leaves the deadline alone, so that
// trickling bytes buy no time.
func (l *loop) enter(c *conn, to connPhase) {
	if c.phase == to {
		return
	}
	if !lawful(c.phase, to) {
		panic(fmt.Sprintf("connection moved from %v to %v", c.phase, to))
	}
	if c.phase == writing {
		atomic.StoreInt64(&c.sending, 0)
	}
	c.phase = to
	switch to {
	case reading:
		c.need, c.begun, c.last, c.fresh = 0, false, false, false
		c.deadline = l.now + l.limits.keepAlive
		if l.draining {
			c.deadline = min(c.deadline, l.parting)
		}
	case writing:
		c.deadline = 0 // sweepSending
		atomic.StoreInt64(&c.sending, l.now)
	case lingering:
		c.deadline = l.now + lingerTime
		if l.draining {
			c.deadline = l.now + lingerDraining
		}
	case waiting, lent, handed, closed:
		c.deadline = 0
	}
}

func lawful(from, to connPhase) bool {
	for _, p := range connMoves[from] {
		if p == to {
			return true
		}
	}
	return false
}

// connReady is called for each event of a connection's socket. The set is
// edge-triggered: what is not acted upon now must be remembered in c.
func (l *loop) connReady(c *conn, events uint32) {
	if events&unix.EPOLLIN != 0 {
		c.readable = true
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.ended = true
	}
	switch c.phase {
	case reading:
		if c.readable || c.ended {
			l.read(c)
		}
	case waiting:
		// A client that only half-closed still wants its answer; one whose
		// socket is closed both ways or reset does not.
		if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			l.abandon(c)
		} else if c.ended {
			l.halfClosed(c)
		}
	case writing:
		if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			l.write(c, nil)
		}
	case lingering:
		l.linger(c)
	case lent:
		if c.talk != nil {
			l.talkReady(c.talk, events)
		} else if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			c.left = true
			l.clientLeft(c)
		} else if c.ended {
			l.halfClosed(c)
		}
	case handed, closed: // a late event of this round
	}
}

// read takes what the socket has and acts on it. The bytes stay in the loop's
// own buffer unless a part of a request is left over, so an idle connection
// holds no memory for them.
func (l *loop) read(c *conn) {
	for more := true; more; more = c.phase == reading && (c.readable || c.ended) {
		buffer := l.room(c)
		kept := len(c.pending)
		n, err := readFD(c.fd, buffer[kept:])
		if err == unix.EAGAIN {
			c.readable = false
			return
		}
		if err != nil || n == 0 {
			l.close(c) // an unfinished request of a client that left is nobody's
			return
		}
		l.figures.Received += uint64(n)
		// A short read emptied the socket: no second one is needed to learn
		// that. An end that was reported with the bytes must still be read.
		c.readable = kept+n == len(buffer)
		if kept > 0 {
			c.pending = buffer[:kept+n]
		}
		l.advance(c, buffer[:kept+n])
	}
}

// room is where the next bytes of c are read to. The beginning of a request
// that comes in many pieces stays where it is, with the next piece behind it: a
// client that sends byte by byte must not have the bytes before copied for each,
// and one that declares a long body gets no more than a few times what it sent.
func (l *loop) room(c *conn) []byte {
	kept := len(c.pending)
	if kept == 0 {
		return l.scratch
	}
	if cap(c.pending) == kept {
		grown := make([]byte, kept, max(kept+1, min(c.need, roomFactor*kept), min(2*kept, len(l.scratch)), smallRoom))
		copy(grown, c.pending)
		c.pending = grown
	}
	return c.pending[:cap(c.pending)]
}

// advance acts on the bytes at the start of a request until one is waiting for
// its answer or more bytes are needed. data may alias c.pending.
func (l *loop) advance(c *conn, data []byte) {
	if len(data) < c.need {
		l.keep(c, data)
		return
	}
	c.need = 0
	if c.unannounced {
		n := l.takeProxyHeader(c, data)
		if n == 0 && c.phase != closed {
			l.keep(c, data)
		}
		if data = data[n:]; n == 0 || !l.announcedWith(c, data) {
			return
		}
	}
	used := l.take(c, data)
	if c.phase != closed && c.phase != lingering && c.phase != lent {
		l.keep(c, data[used:])
	}
}

// keep saves bytes for later, and gives the memory back when there are none.
func (l *loop) keep(c *conn, rest []byte) {
	if len(rest) == 0 {
		c.pending = nil
		return
	}
	if c.phase == reading && !c.begun {
		c.begun = true
		c.deadline = l.now + l.limits.patience
	}
	if len(c.pending) != len(rest) || &c.pending[0] != &rest[0] {
		c.pending = append(c.pending[:0], rest...)
	}
}

// resume goes on with a connection whose response was written: to the next
// request if its bytes are there already, else to waiting for them.
func (l *loop) resume(c *conn) {
	c.request = nil
	switch {
	case c.last, l.draining && l.now >= l.parting && !l.gateway.passes(c):
		l.hangUp(c)
		return
	case l.draining && l.handOn(c):
		return
	}
	l.enter(c, reading)
	if len(c.pending) > 0 {
		l.advance(c, c.pending)
	}
	if c.phase == reading && (c.readable || c.ended) {
		l.read(c)
	}
}

// write sends p, or what an earlier write left over, and then resumes. What the
// socket does not take now is kept and written when it can.
func (l *loop) write(c *conn, p []byte) {
	fresh := p != nil
	if !fresh {
		p = c.out
	}
	n, err := writeFD(c.fd, p)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		l.close(c)
		return
	}
	l.figures.Sent += uint64(max(n, 0))
	if n == len(p) {
		c.out = nil
		l.resume(c)
		return
	}
	if fresh {
		c.out = append([]byte(nil), p[n:]...)
	} else {
		c.out = p[n:]
	}
	if c.phase != writing && !l.awaitUptake(c) {
		return
	}
	if n > 0 && len(c.client) == 0 { // a Unix socket: that it moves is all that is known
		atomic.StoreInt64(&c.sending, l.now)
	}
}

// halfClosed is called for a client that sent its end while it waits for a
// response. It is still answered. But most have left, and that only a write
// shows; an application that would hear of it, an ASGI one, is told now, as by
// other servers, and not in a minute.
func (l *loop) halfClosed(c *conn) {
	if r := c.request; r != nil && r.asgi {
		l.tellLeft(r)
	}
	askWhetherGone(c.fd)
}

// askWhetherGone makes the kernel find out what has become of a client that sent
// its end while it waits. One that only half-closed acknowledges the probes. One
// that closed its socket does so too, until its kernel has forgotten the
// connection (tcp_fin_timeout, a minute as a rule); then it resets ours, and that
// is how a client leaves. Without this, nothing but a write could tell.
func askWhetherGone(fd int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1) != nil {
		return // the request is answered in any case
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, probeAfter) // not on Unix sockets, whose close is a hang-up
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, probeAfter)
}

// abandon lets go of a client that left while its request was waiting. The
// request is dropped if it is still queued; a worker that has it is not
// disturbed, and its reply will find no one.
func (l *loop) abandon(c *conn) {
	if c.request != nil {
		l.figures.Abandoned++
		l.tellLeft(c.request)
		c.request.conn = nil
		c.request = nil
	}
	l.close(c)
}
