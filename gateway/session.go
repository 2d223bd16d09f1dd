package gateway

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// drainLook is how long a drain waits for a request on a connection that has
// had one already: time for what has arrived to be read, no more.
const drainLook = 20 * time.Millisecond

// readStep is how much memory a connection holds that waits for a request.
const readStep = 4 << 10

// session is HTTP/1.1 on a resident connection: request after request, each
// served as an exchange.
type session struct {
	x     *exchange
	fresh bool // it has had no request yet

	mu   sync.Mutex
	idle bool // it waits for the first byte of a request
}

// liveHTTP1 serves requests until either side has had enough, and then takes
// leave of the client.
func (r *resident) liveHTTP1(over residentTransport) {
	x := &exchange{
		loop: r.loop, gateway: r.gateway, conn: r.conn,
		sock: over, patience: time.Duration(r.loop.limits.patience),
	}
	s := &session{x: x, fresh: true}
	r.whenDraining(s.hurry)
	for s.await() {
		x.serveRequest()
		x.putAway()
		if !x.keep || x.broken || x.reset {
			break
		}
		s.fresh, x.buffer = false, nil
		over.rest()
	}
	switch {
	case x.reset:
		r.sock.reset()
	case x.broken:
	default:
		_ = over.CloseWrite() // the client may have left meanwhile
		r.sock.hangUp(r.gateway.draining.Load())
	}
}

// residentTransport is a transport that lasts longer than one exchange.
type residentTransport interface {
	transport
	CloseWrite() error
	rest()
}

// await waits for a whole request head to be in x.data and lawful. Else it has
// answered, or there is nobody to answer, and the connection is over.
func (s *session) await() bool {
	x := s.x
	rules := x.gateway.config.rules()
	var head http1.Head
	var deadline time.Time // of a head that has begun
	for {
		if len(x.data) > 0 {
			complete, err := head.Parse(x.data, &rules)
			if err != nil {
				x.refuse(err)
				return false
			}
			if complete {
				return true
			}
			if deadline.IsZero() {
				deadline = time.Now().Add(x.patience)
			}
		}
		switch err := s.read(deadline); {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			x.broken = true
			return false
		default:
			if len(x.data) > 0 {
				x.refuse(errSlow)
			}
			return false
		}
	}
}

// admit refuses what need not be read any further.
func (x *exchange) admit(h *http1.Head) error {
	if limit := x.gateway.config.BodyLimit; limit > 0 && h.ContentLength > limit {
		return errBodyTooLarge
	}
	return x.gateway.admit(&x.origin, x.conn, h)
}

// read appends to x.data. deadline is zero between two requests.
func (s *session) read(deadline time.Time) error {
	x := s.x
	if cap(x.data)-len(x.data) < readStep {
		x.data = append(make([]byte, 0, 2*len(x.data)+readStep), x.data...)
	}
	s.mu.Lock()
	s.idle = deadline.IsZero()
	if s.idle {
		deadline = time.Now().Add(s.quiet())
	}
	_ = x.sock.SetReadDeadline(deadline) // sockets have deadlines
	s.mu.Unlock()
	n, err := x.sock.Read(x.data[len(x.data):cap(x.data)])
	s.mu.Lock()
	s.idle = false
	s.mu.Unlock()
	x.data = x.data[:len(x.data)+n]
	if n > 0 {
		return nil
	}
	return err
}

// quiet is how long a connection may say nothing between two requests.
func (s *session) quiet() time.Duration {
	switch draining := s.x.gateway.draining.Load(); {
	case draining && s.fresh:
		return time.Duration(firstRequestTime)
	case draining:
		return max(drainLook, time.Duration(s.x.gateway.parting.Load()-dispatch.Monotonic()))
	case s.fresh:
		return s.x.patience
	}
	return s.x.gateway.config.KeepAlive
}

// hurry is called when a drain begins.
func (s *session) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle {
		_ = s.x.sock.SetReadDeadline(time.Now().Add(s.quiet())) // sockets have deadlines
	}
}
