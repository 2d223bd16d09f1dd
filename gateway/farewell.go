package gateway

import "golang.org/x/sys/unix"

// hangUp ends a connection after a response: our side is shut, and what the
// client still sends is read away for a while, because closing a socket with
// unread bytes makes the kernel reset it, and the reset can overtake the
// response (RFC 9112 section 9.6). A client that said itself that the request was
// its last one, and of which nothing is unread, sends nothing more.
func (l *loop) hangUp(c *conn) {
	if (c.ended || c.parted && len(c.pending) == 0) && !c.readable {
		l.close(c)
		return
	}
	if unix.Shutdown(c.fd, unix.SHUT_WR) != nil {
		l.close(c)
		return
	}
	c.pending = nil
	l.enter(c, lingering)
	l.linger(c)
}

func (l *loop) linger(c *conn) {
	for range lingerReads {
		n, err := readFD(c.fd, l.scratch)
		if err == unix.EAGAIN {
			return
		}
		if err != nil || n == 0 {
			break
		}
		l.figures.Received += uint64(n)
	}
	l.close(c)
}

// close forgets a connection and closes its socket.
func (l *loop) close(c *conn) {
	if c.phase == closed {
		return
	}
	l.enter(c, closed)
	l.gateway.connections.Add(-1)
	l.forget(c.fd)
	_ = unix.Close(c.fd) // leaves the epoll set by itself; nothing to lose
	l.remove(c)
}

// moveOut lets go of a resident whose goroutine has closed the socket.
func (l *loop) moveOut(c *conn) {
	l.enter(c, closed)
	l.gateway.connections.Add(-1)
	l.remove(c)
}

func (l *loop) remove(c *conn) {
	end := len(l.conns) - 1
	l.conns[c.position] = l.conns[end]
	l.conns[c.position].position = c.position
	l.conns[end] = nil
	l.conns = l.conns[:end]
	c.pending, c.out = nil, nil
}
