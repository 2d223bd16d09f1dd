package gateway

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

const (
	frameHead = 9 // bytes of a frame before its payload (RFC 9113 section 4.1)

	kindHeaders      = 1 // and what comes between it and its end belongs together
	kindPushPromise  = 5
	kindGoAway       = 7
	kindContinuation = 9

	flagEndHeaders = 0x4
)

// goAwayWait is how long a client has to hear that it should open no more
// streams before streams are ignored: more than a round trip, as a rule.
const goAwayWait = 300 * time.Millisecond

// graceful is a connection that speaks HTTP/2 and can take leave in two steps, as
// RFC 9113 section 6.8 advises: net/http sends the second GOAWAY only, and what
// the client asked meanwhile would be ignored. It follows the frames that are
// written, to put the first one between two of them.
//
// Write and announce may be called at a time.
type graceful struct {
	net.Conn // gathers what is written

	mu      sync.Mutex
	head    [frameHead]byte // of the frame that is being written
	have    int             // bytes of it
	left    int             // bytes of its payload to come
	begun   bool            // a frame has been written: the first must be SETTINGS
	open    bool            // the last frame was headers to be continued
	pending bool            // the announcement waits for its place
}

// Write passes frames on.
func (c *graceful) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pending {
		c.follow(p)
		return c.Conn.Write(p)
	}
	n := 0
	for n < len(p) && !c.between() {
		n += c.step(p[n:])
	}
	joined := append([]byte(nil), p[:n]...)
	if c.between() {
		joined, c.pending = appendGoAway(joined), false
	}
	c.follow(p[n:])
	if _, err := c.Conn.Write(append(joined, p[n:]...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *graceful) follow(p []byte) {
	for len(p) > 0 {
		p = p[c.step(p):]
	}
}

// step takes the bytes of one head or payload, or a part of them.
func (c *graceful) step(p []byte) int {
	if c.left > 0 {
		n := min(len(p), c.left)
		c.left -= n
		return n
	}
	n := copy(c.head[c.have:], p)
	if c.have += n; c.have < frameHead {
		return n
	}
	c.have, c.begun = 0, true
	c.left = int(c.head[0])<<16 | int(c.head[1])<<8 | int(c.head[2])
	switch c.head[3] {
	case kindHeaders, kindPushPromise, kindContinuation:
		c.open = c.head[4]&flagEndHeaders == 0
	}
	return n
}

// between reports that another frame may be written now.
func (c *graceful) between() bool { return c.begun && !c.open && c.left == 0 && c.have == 0 }

// announce tells the client that the connection will end, and that what it asks
// until it has heard so will be answered.
func (c *graceful) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.between() {
		c.pending = true
		return
	}
	_, _ = c.Conn.Write(appendGoAway(nil)) // a client that is gone need not hear it
}

// appendGoAway appends a GOAWAY that excludes no stream, without an error.
func appendGoAway(b []byte) []byte {
	const everyStream = 1<<31 - 1
	b = append(b, 0, 0, 8, kindGoAway, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, everyStream)
	return binary.BigEndian.AppendUint32(b, 0)
}
