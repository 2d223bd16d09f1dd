package gateway

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// arrival is the receiving end of a hand-over: connections of the gateway before
// come here and go to the loops in turn, as if they had been accepted. It belongs to
// one goroutine.
type arrival struct {
	gateway     *gateway
	predecessor *dispatch.Channel
	listeners   []*listener
	next        int // the loop that gets the next connection
	taken       int
	refused     int
}

// takeOver begins to receive connections from the gateway at the other end of fd.
func (g *gateway) takeOver(fd int) {
	predecessor, err := dispatch.NewChannel(fd, "the gateway before")
	if err != nil {
		g.log.Error("connections are not taken over", "error", err)
		return
	}
	predecessor.SetSendTimeout(parcelLimit)
	a := &arrival{gateway: g, predecessor: predecessor, listeners: g.listeners}
	go a.run()
}

// run receives until the gateway before has nothing more.
func (a *arrival) run() {
	for {
		msg, fds, err := a.predecessor.Receive()
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			break
		}
		var list dispatch.List
		if err == nil && len(msg) == 2 && msg[0] == "connections" {
			list, _ = msg[1].(dispatch.List)
		}
		if err != nil {
			a.gateway.log.Warn("connections could not be received", "error", err) // none is lost: the sender has them
		}
		if !a.receive(list, fds) {
			break
		}
	}
	_ = a.predecessor.Close() // nothing is on its way
	a.gateway.log.Debug("connections were taken over", "count", a.taken, "refused", a.refused)
}

// receive takes the connections of a message and says which. It reports false if
// the sender does not hear that: then it keeps all.
func (a *arrival) receive(list dispatch.List, fds []int) bool {
	answer, conns, opened := make(dispatch.Tuple, len(list)), make([]*conn, len(fds)), make([]*parcel, len(fds))
	for i := range list {
		answer[i] = false
		if len(fds) == len(list) {
			opened[i], conns[i] = a.open(list[i], fds[i], int64(i))
			answer[i] = conns[i] != nil
		}
	}
	if err := a.predecessor.Send(answer); err != nil {
		closeFDs(fds)
		return false
	}
	for i, c := range conns {
		if c == nil {
			a.refused++
			closeFD(fds[i])
			continue
		}
		a.taken++
		a.place(c, opened[i])
	}
	return true
}

// open makes a connection of a parcel and its socket, or nil if this gateway cannot
// have it: its configuration has no such listener, or is such that the client's
// words would mean something else here, or there is no room. So many of the same
// message come before it.
func (a *arrival) open(v any, fd int, ahead int64) (*parcel, *conn) {
	g := a.gateway
	p, err := openParcel(v)
	if err != nil {
		g.log.Error("connection not taken over", "error", err)
		return nil, nil
	}
	ln := a.listener(p)
	if ln == nil || g.draining.Load() || g.connections.Load()+ahead >= g.room {
		return nil, nil
	}
	if p.request != nil && (p.request.asgi != g.course.Load().asgi || p.tongue != g.config.tongue()) {
		return nil, nil
	}
	var sa unix.RawSockaddrAny
	if peerFD(fd, &sa) != nil {
		return nil, nil // it has left
	}
	c := &conn{fd: fd, listener: ln, position: -1, fresh: p.fresh, begun: p.begun}
	c.describe(&sa, &g.forwarding)
	c.unannounced = p.header
	if p.about != nil {
		c.announce(*p.about, &g.forwarding)
	}
	if c.stranger != nil {
		return nil, nil // it was none to the configuration before
	}
	return p, c
}

// listener finds the one that a connection was accepted from.
func (a *arrival) listener(p *parcel) *listener {
	for _, ln := range a.listeners {
		if ln.name == p.listener && ln.address == p.address && ln.mode() == p.mode {
			return ln
		}
	}
	return nil
}

// place gives a connection to the next loop.
func (a *arrival) place(c *conn, p *parcel) {
	g := a.gateway
	g.connections.Add(1)
	a.next = (a.next + 1) % len(g.loops)
	if !g.loops[a.next].post(func(l *loop) { l.arrive(c, p) }) {
		g.connections.Add(-1)
		closeFD(c.fd) // that loop has drained
	}
}

// arrive makes c one of the loop's connections, where it stands. What arrived for
// it meanwhile is reported as soon as it is watched.
func (l *loop) arrive(c *conn, p *parcel) {
	wait := l.limits.keepAlive
	if c.fresh || c.begun {
		wait = l.limits.patience
	}
	// A client that is about to ask must not suffer from a time that has become
	// shorter.
	c.deadline = max(p.since+wait, l.now+firstRequestTime)
	c.position = len(l.conns)
	l.conns = append(l.conns, c)
	if err := l.watchConn(c); err != nil {
		l.log.Error("connection could not be watched", "error", err)
		l.close(c)
		return
	}
	if len(p.pending) > 0 {
		c.pending = p.pending
	}
	switch {
	case p.request != nil:
		l.adoptRequest(c, p.request)
	case len(c.pending) > 0:
		l.advance(c, c.pending)
	}
}

// adoptRequest queues a request that another gateway understood.
func (l *loop) adoptRequest(c *conn, from *request) {
	l.enter(c, waiting)
	r := l.requests.add()
	if r == nil {
		l.refuse(c, errQueueFull, nil)
		return
	}
	r.conn, c.request = c, r
	r.asgi, r.asked, r.line = from.asgi, from.asked, from.line
	r.line.protocol = c.protocol()
	r.asked.keep = r.asked.keep && l.limits.keepAlive > 0
	r.asked.field = l.gateway.marks.idField
	r.msg = append(appendID(r.msg[:0], r.id), from.msg...)
	err := error(nil)
	if r.asgi != l.course.asgi {
		err = errFormChanged
	} else {
		err = l.enqueue(r)
	}
	if err != nil {
		l.fail(r, err)
		return
	}
	r.since = min(r.since, from.since)
}
