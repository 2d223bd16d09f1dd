package gateway

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// resident is a connection that lives in a goroutine of its own for as long as
// it lasts: one that speaks TLS or HTTP/2. The loop still counts it among its
// connections, and so does not end before it.
type resident struct {
	loop    *loop // only to post to
	gateway *gateway
	conn    *conn
	model   conn // as it was in the beginning; each stream of HTTP/2 is a copy
	sock    *socket

	mu      sync.Mutex
	onDrain func()
}

// settle gives a connection away for good. data is what was read of it. From
// here on live owns the descriptor; when it returns the connection is over.
func (l *loop) settle(c *conn, data []byte, live func(*resident)) {
	l.enter(c, lent)
	// That it leaves is still noticed here, until the goroutine closes the socket.
	// If not, the goroutine will notice when it writes.
	if c.fd < len(l.sources) && l.sources[c.fd].conn == c {
		_ = l.rewatch(c.fd, unix.EPOLLRDHUP|unix.EPOLLET)
	} else {
		_ = l.watch(c.fd, unix.EPOLLRDHUP|unix.EPOLLET, source{kind: aConn, conn: c})
	}
	r := &resident{
		loop: l, gateway: l.gateway, conn: c, model: *c,
		sock: newSocket(c, append([]byte(nil), data...), l.gateway.figures),
	}
	c.fd, c.pending, c.partial = -1, nil, nil
	r.model.fd, r.model.pending, r.model.partial = -1, nil, nil
	l.gateway.residents.add(r)
	go func() {
		live(r)
		_ = r.sock.Close() // it may be closed already
		l.gateway.residents.remove(r)
		l.post(func(l *loop) { l.moveOut(c) }) // a loop outlives its connections
	}()
}

// whenDraining sets what a drain does to the connection, or nil for nothing, in
// place of what was set before; with a drain under way it is done now.
func (r *resident) whenDraining(f func()) {
	r.mu.Lock()
	r.onDrain = f
	r.mu.Unlock()
	if f != nil && r.gateway.draining.Load() {
		f()
	}
}

func (r *resident) drain() {
	r.mu.Lock()
	f := r.onDrain
	r.mu.Unlock()
	if f != nil {
		f()
	}
}

// residents are those of all loops. The zero value has none.
type residents struct {
	mu  sync.Mutex
	all map[*resident]struct{}
}

func (s *residents) add(r *resident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*resident]struct{}{}
	}
	s.all[r] = struct{}{}
}

func (s *residents) remove(r *resident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, r)
}

// drain tells each resident, once the gateway's draining is set. One that
// settles later sees that itself.
func (s *residents) drain() {
	s.mu.Lock()
	all := make([]*resident, 0, len(s.all))
	for r := range s.all {
		all = append(all, r)
	}
	s.mu.Unlock()
	for _, r := range all {
		r.drain()
	}
}

// socket is the socket of a resident, as a net.Conn for crypto/tls and net/http.
type socket struct {
	plain
	ahead         []byte // was read before it became one
	local, remote net.Addr

	once sync.Once
	gone chan struct{} // closed by Close
}

func newSocket(c *conn, ahead []byte, f *Figures) *socket {
	s := &socket{
		plain: plain{File: os.NewFile(uintptr(c.fd), "client"), figures: f},
		ahead: ahead, gone: make(chan struct{}),
		local: &net.UnixAddr{Net: "unix"}, remote: &net.UnixAddr{Net: "unix"},
	}
	if len(c.client) > 0 {
		s.remote = peerAddr(string(c.client) + " " + string(c.port))
	}
	if sa, err := unix.Getsockname(c.fd); err == nil {
		switch a := sa.(type) {
		case *unix.SockaddrInet4:
			s.local = &net.TCPAddr{IP: append([]byte(nil), a.Addr[:]...), Port: a.Port}
		case *unix.SockaddrInet6:
			s.local = &net.TCPAddr{IP: append([]byte(nil), a.Addr[:]...), Port: a.Port}
		}
	}
	return s
}

// peerAddr is a client's address as text: nobody here takes it apart.
type peerAddr string

func (peerAddr) Network() string  { return "tcp" }
func (a peerAddr) String() string { return string(a) }

func (s *socket) LocalAddr() net.Addr  { return s.local }
func (s *socket) RemoteAddr() net.Addr { return s.remote }

// Read takes what was read ahead first. A deadline that passed is the bare
// error, because crypto/tls takes a wrapped one for the end of the connection.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	}
	s.ahead = nil
	n, err := s.plain.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// Close may be called more than once.
func (s *socket) Close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		err = s.plain.Close()
		close(s.gone)
	})
	return err
}

// peek waits for the first bytes and leaves them to be read.
func (s *socket) peek() ([]byte, error) {
	if len(s.ahead) > 0 {
		return s.ahead, nil
	}
	first := make([]byte, 1024) // more than most of what a client begins with
	n, err := s.Read(first)
	s.ahead = first[:n]
	if n > 0 {
		err = nil
	}
	return s.ahead, err
}

// reset makes the close to come a reset, which no client takes for the end of a
// response.
func (s *socket) reset() {
	s.control(func(fd int) {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // a Unix socket has none
	})
}

// hangUp says that nothing more will come and waits a while for the client to
// say so too, for the reason of [loop.hangUp].
func (s *socket) hangUp(draining bool) {
	limit := lingerTime
	if draining {
		limit = lingerDraining
	}
	if s.SetDeadline(time.Now().Add(time.Duration(limit))) != nil {
		return
	}
	s.control(func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }) // the read tells of failure
	rest := make([]byte, 4096)
	for range lingerReads * 16 {
		if _, err := s.Read(rest); err != nil {
			return
		}
	}
}

func (s *socket) control(f func(fd int)) {
	if raw, err := s.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // closed: nothing to do it to
	}
}
