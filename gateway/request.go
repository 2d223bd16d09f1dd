package gateway

import (
	"os"
)

// requestPhase is where a request stands; see doc.go for its life.
type requestPhase uint8

const (
	unused     requestPhase = iota // in the table's free list
	queued                         // waits in the gateway for a place on the lane
	dispatched                     // on the lane or with a worker
	begun                          // a worker streams its response
	numRequestPhases
)

// Bits of a request id, from the top: loop, epoch of the gateway, index into
// the loop's table, sequence number (docs/protocol.md).
const (
	loopShift  = 56
	epochShift = 48
	indexShift = 28
	indexMask  = 1<<20 - 1
	seqMask    = 1<<28 - 1
	maxLoops   = 64
)

// request is one request between its parsing and the end of its response. It
// belongs to the loop that made it.
type request struct {
	id      uint64
	index   uint32
	phase   requestPhase
	conn    *conn         // express path: who waits for the answer; nil if it left
	answers chan answer   // goroutine path: where answers go
	lent    *conn         // goroutine path: the connection, if it is for this request alone
	hinted  uint8         // informational responses that were passed on
	lane    *lane         // where it was dispatched
	asgi    bool          // msg is in the form for ASGI applications
	told    bool          // the worker was told that the client left
	freed   chan struct{} // closed when the request is dropped, or nil
	msg     []byte        // the message; its memory is used again
	body    *os.File      // the worker's until it asks for it (fetch.go), or nil
	spooled reservation   // for the body, as long as a worker may read it
	since   int64         // CLOCK_MONOTONIC ns: when it was queued, then when it was dispatched
	missed  int64         // CLOCK_MONOTONIC ns: since when no one seems to hold it; 0 if someone does
	asked   asked
	line    logLine
	notes   []byte // what asked points to; its memory is used again
}

// asked is what the response depends on.
type asked struct {
	head  bool  // the method is HEAD
	minor uint8 // HTTP/1.minor
	keep  bool  // the connection may go on afterwards

	trailers bool // the client takes trailer fields

	id     []byte // of the request; empty if it has none. Goes into the response
	field  []byte // in the field of this name
	accept []byte // the Accept field if it may ask for JSON, which matters to errors of our own
}

// wanted reports whether anybody still waits for the answer.
func (r *request) wanted() bool { return r.conn != nil || r.answers != nil }

// table holds a loop's requests. Finding one by its id costs an index and a
// comparison, and nothing is allocated once the table has grown to the number
// of requests that are in flight at a time.
type table struct {
	prefix uint64 // loop and epoch, in place
	all    []*request
	free   []uint32
	seq    uint32
	large  [][]byte // memory of messages that are longer than a request keeps
	kept   int      // how much that is together, in bytes
}

func newTable(loop int, epoch uint8) table {
	return table{prefix: uint64(loop)<<loopShift | uint64(epoch)<<epochShift}
}

// add returns a request with a new id, or nil if a million are in flight.
func (t *table) add() *request {
	if len(t.free) == 0 {
		if len(t.all) > indexMask {
			return nil
		}
		t.all = append(t.all, &request{index: uint32(len(t.all))})
		t.free = append(t.free, uint32(len(t.all)-1))
	}
	r := t.all[t.free[len(t.free)-1]]
	t.free = t.free[:len(t.free)-1]
	t.number(r)
	r.phase = queued
	return r
}

// number gives a request its id.
func (t *table) number(r *request) {
	t.seq = (t.seq + 1) & seqMask
	if t.seq == 0 {
		t.seq = 1 // with loop, epoch and index 0 the id would be 0, which means none
	}
	r.id = t.prefix | uint64(r.index)<<indexShift | uint64(t.seq)
}

// renew gives a queued request, which was out of the queue, the id of one that came
// just now.
func (t *table) renew(r *request) {
	rest := r.msg[len(appendID(nil, r.id)):]
	t.number(r)
	r.msg = append(appendID(make([]byte, 0, len(r.msg)+16), r.id), rest...)
}

// find returns the request of an id, or nil if it has ended or was another
// gateway's.
func (t *table) find(id uint64) *request {
	index := id >> indexShift & indexMask
	if index >= uint64(len(t.all)) {
		return nil
	}
	if r := t.all[index]; r.phase != unused && r.id == id {
		return r
	}
	return nil
}

// room is memory for the message of a request, of about so many bytes with its
// body: what an earlier one left, if that is enough.
func (t *table) room(r *request, size int) []byte {
	if size <= keepMessage || size <= cap(r.msg) {
		return r.msg[:0]
	}
	for n := len(t.large); n > 0; n = len(t.large) {
		msg := t.large[n-1]
		t.large, t.kept = t.large[:n-1], t.kept-cap(msg)
		if cap(msg) >= size {
			return msg[:0]
		}
	}
	return make([]byte, 0, size)
}

// drop ends a request. What is more than a small message's memory is kept for
// others, as much as keepLarge together.
func (t *table) drop(r *request) {
	if r.body != nil {
		_ = r.body.Close() // no worker asked for it, so nobody has used it
	}
	if r.lent != nil && r.lent.request == r {
		r.lent.request = nil
	}
	if r.freed != nil {
		close(r.freed)
	}
	r.spooled.release()
	msg := r.msg[:0]
	if cap(msg) > keepMessage {
		if t.kept+cap(msg) <= keepLarge {
			t.large, t.kept = append(t.large, msg), t.kept+cap(msg)
		}
		msg = nil
	}
	line := r.line.recycle()
	*r = request{index: r.index, msg: msg, line: line, notes: r.notes[:0]}
	t.free = append(t.free, r.index)
}

// inFlight is how many requests have not ended.
func (t *table) inFlight() int { return len(t.all) - len(t.free) }

// before reports whether sequence a was given out before b, with wrapping.
func before(a, b uint64) bool {
	return (b-a)&seqMask != 0 && (b-a)&seqMask < seqMask/2
}
