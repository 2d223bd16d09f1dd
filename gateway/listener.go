package gateway

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// listener is one socket that accepts.
type listener struct {
	fd      int
	name    string
	owned   bool // Indrik bound it; nobody else will serve its accept queue
	unix    bool
	address string // as text, to tell it from others
	host    []byte // the address it is bound to; empty for a Unix socket
	port    []byte
	scheme  string // what is spoken on it: "http" or "https"
	proxy   proxyMode
	uwsgi   bool   // packets of that protocol are spoken, not HTTP
	prefix  []byte // environ items that are the same for all its requests
	server  []byte // SERVER_NAME and SERVER_PORT as such items
}

// newListener looks at a descriptor that the master handed over.
func newListener(fd int, name string, owned bool, c Config) (*listener, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	host, port := "", ""
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		host, port = netip.AddrFrom4(a.Addr).String(), strconv.Itoa(a.Port)
	case *unix.SockaddrInet6:
		host, port = netip.AddrFrom16(a.Addr).Unmap().String(), strconv.Itoa(a.Port)
	}
	return &listener{
		fd: fd, name: name, owned: owned, address: boundTo(sa), unix: host == "", scheme: c.scheme(name),
		host: []byte(host), port: []byte(port),
		prefix: environPrefix(c), server: serverItems([]byte(host), []byte(port)),
	}, nil
}

// accept takes connections and shares them out between the loops.
func (l *loop) accept(ln *listener) {
	for range acceptBatch {
		if limit := l.limits.connections; limit > 0 && l.gateway.connections.Load() >= limit && !l.draining {
			l.pauseAccepting(errConnections)
			return
		}
		var sa unix.RawSockaddrAny
		fd, err := acceptFD(ln.fd, &sa)
		switch err {
		case nil:
		case unix.EAGAIN:
			return
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.pauseAccepting(err)
			return
		default: // ECONNABORTED and the like: that client is gone, others wait
			continue
		}
		l.accepted++
		l.figures.Accepted++
		l.gateway.connections.Add(1)
		c := &conn{fd: fd, listener: ln, position: -1, fresh: true}
		c.describe(&sa, &l.gateway.forwarding)
		l.place(c)
	}
}

// place gives a new connection to the next loop in turn.
func (l *loop) place(c *conn) {
	to := l.gateway.loops[l.next]
	l.next = (l.next + 1) % l.loopCount
	if to == l {
		l.adopt(c)
		return
	}
	if !to.post(func(to *loop) { to.adopt(c) }) {
		l.adopt(c) // that loop has drained already
	}
}

// adopt makes c one of the loop's connections.
func (l *loop) adopt(c *conn) {
	c.position = len(l.conns)
	c.deadline = l.now + l.limits.patience
	if l.draining {
		c.deadline = l.now + firstRequestTime
	}
	l.conns = append(l.conns, c)
	if c.stranger != nil {
		l.turnAway(c, c.stranger)
		return
	}
	if c.listener.scheme == "https" && !c.unannounced {
		l.settle(c, nil, (*resident).liveTLS)
		return
	}
	if l.handOn(c) {
		return
	}
	if err := l.watchConn(c); err != nil {
		l.log.Error("connection could not be watched", "error", err)
		l.close(c)
	}
}

func (l *loop) watchConn(c *conn) error {
	return l.watch(c.fd, connEvents, source{kind: aConn, conn: c})
}

// connEvents are those of a connection that the loop itself works with. That it can
// be written is asked for when it could not (awaitUptake): a Unix socket says so
// whenever the client reads, and so would wake the loop for every response.
const connEvents = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// awaitUptake waits for the client to take what it has been sent. It reports false if
// that cannot be: then c is closed.
func (l *loop) awaitUptake(c *conn) bool {
	l.enter(c, writing)
	err := l.rewatch(c.fd, connEvents|unix.EPOLLOUT)
	if err != nil {
		l.log.Error("connection could not be watched", "error", err)
		l.close(c)
	}
	return err == nil
}

// acceptFrom begins to accept. Listeners are level-triggered: they are shared,
// and a batch may end before the accept queue does.
func (l *loop) acceptFrom(listeners []*listener) {
	l.listeners = listeners
	for _, ln := range listeners {
		if err := l.watch(ln.fd, unix.EPOLLIN, source{kind: aListener, listener: ln}); err != nil {
			l.log.Error("listener could not be watched", "listener", ln.name, "error", err)
		}
	}
}

// pauseAccepting waits for descriptors or memory to become free. Clients stay in
// the accept queue meanwhile; the log says so, but not each time.
func (l *loop) pauseAccepting(why error) {
	for _, ln := range l.listeners {
		l.unwatch(ln.fd)
	}
	l.acceptAgain = l.now + acceptPause
	if l.now >= l.pauseTold {
		l.pauseTold = l.now + pauseQuiet
		l.log.Warn("accepting paused", "error", why, "connections", l.gateway.connections.Load())
	}
}

// stopAccepting is the first step of a drain. Clients in the accept queue of a
// systemd socket are left to the next start of the service; those of a socket
// of ours would be reset when it closes, so they are taken now.
func (l *loop) stopAccepting() {
	for _, ln := range l.listeners {
		if l.acceptAgain == 0 {
			l.unwatch(ln.fd)
		}
		if ln.owned {
			before := l.accepted
			for l.accept(ln); l.accepted-before == acceptBatch; l.accept(ln) {
				before = l.accepted
			}
		}
		_ = unix.Close(ln.fd) // the master holds it
	}
	l.listeners, l.acceptAgain = nil, 0
}

// describe fills in who the peer is, and what it may and must do.
func (c *conn) describe(sa *unix.RawSockaddrAny, f *forwarding) {
	addr, ok := clientAddress(sa)
	c.trusted = !ok || f.trusted.includes(addr.Addr())
	c.unannounced = c.listener.proxy != noProxyHeader
	if !ok {
		c.peer = peerItems(nil, nil)
		return
	}
	switch {
	case c.unannounced && !f.announcers.includes(addr.Addr()):
		c.stranger = errProxyPeer
	case c.listener.uwsgi && !f.packers.includes(addr.Addr()):
		c.stranger = errPacketPeer
	}
	c.setPeer(addr)
}

// setPeer makes addr the one that requests of the connection come from.
func (c *conn) setPeer(addr netip.AddrPort) {
	text := addr.Addr().AppendTo(make([]byte, 0, 24))
	c.client = text[:len(text):len(text)]
	c.port = strconv.AppendUint(nil, uint64(addr.Port()), 10)
	c.peer = peerItems(c.client, c.port)
}
