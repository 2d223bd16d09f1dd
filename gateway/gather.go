package gateway

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// gatherRoom is how many bytes may wait to be written to a client that speaks
	// HTTP/2, past which its writers wait: as much as two of the largest frames
	// that net/http makes.
	gatherRoom = 2*(16<<10) + 64
	// keepGathered is how much memory for them a connection keeps while nothing waits.
	keepGathered = 2 << 10
)

// gathered is a connection on which writes that follow each other closely leave as
// one. net/http flushes the head of a response, waits until that is written, and
// then flushes the body: two records of TLS, two calls of the kernel and two
// wake-ups of the client for each response. Here a write returns when its bytes
// are taken over, and a goroutine, which lasts as long as there are some, sends
// what has come together.
//
// Write may be called by several goroutines, and Close beside it. An error of
// writing closes the connection, and is what the next Write returns.
type gathered struct {
	net.Conn
	patience time.Duration // how long the client may take nothing

	mu      sync.Mutex
	moved   sync.Cond // of mu: some of waiting has left, or busy or failed changed
	waiting []byte
	spare   []byte // memory for the next, or nil
	busy    bool   // drain is at work, and will look again
	closing bool   // the last deadline is set
	failed  error
}

func newGathered(conn net.Conn, patience time.Duration) *gathered {
	c := &gathered{Conn: conn, patience: patience}
	c.moved.L = &c.mu
	return c
}

// Write takes p over. It waits while too much waits to be written already.
func (c *gathered) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.failed == nil && len(c.waiting) > 0 && len(c.waiting)+len(p) > gatherRoom {
		c.moved.Wait()
	}
	if c.failed != nil {
		return 0, c.failed
	}
	c.waiting = append(c.waiting, p...)
	if !c.busy {
		c.busy = true
		go c.drain()
	}
	return len(p), nil
}

// drain writes until nothing waits.
func (c *gathered) drain() {
	runtime.Gosched() // whoever wrote mostly has more to write: after a head its body
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 && c.failed == nil {
		p := c.waiting
		c.waiting, c.spare = c.spare, nil
		c.moved.Broadcast()
		c.mu.Unlock()
		err := c.writeOut(p)
		c.mu.Lock()
		if cap(p) <= keepGathered {
			c.spare = p[:0]
		}
		if err != nil {
			c.failed = err
			_ = c.Conn.Close() // the error says more
		}
	}
	if cap(c.waiting) > keepGathered {
		c.waiting = nil
	}
	c.busy = false
	c.moved.Broadcast()
}

// writeOut writes p, as long as the client takes some of it within its patience.
func (c *gathered) writeOut(p []byte) error {
	for len(p) > 0 {
		c.mu.Lock()
		if !c.closing {
			_ = c.SetWriteDeadline(time.Now().Add(c.patience)) // sockets have deadlines
		}
		closing := c.closing
		c.mu.Unlock()
		n, err := c.Conn.Write(p[:min(len(p), recordSize)])
		if err != nil && (n == 0 || closing || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Close lets what was written leave, if the client takes it within goAwayWait, and
// closes the connection.
func (c *gathered) Close() error {
	c.mu.Lock()
	if c.busy && c.failed == nil {
		c.closing = true
		_ = c.SetWriteDeadline(time.Now().Add(goAwayWait)) // as above
	}
	for c.busy && c.failed == nil {
		c.moved.Wait()
	}
	if c.failed == nil {
		c.failed = net.ErrClosed
		c.moved.Broadcast()
	}
	c.mu.Unlock()
	return c.Conn.Close()
}
