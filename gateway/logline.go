package gateway

import (
	"time"

	"github.com/indrik/indrik/accesslog"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// logLine is the part of a request's line that is known before its answer. It
// goes with the request, or with the goroutine that waits for the answer. The
// zero value is of a request whose line another has.
type logLine struct {
	notes  [maxRolls][]byte
	began  int64 // CLOCK_MONOTONIC ns: when the head was complete; 0 if another has the line
	trip   trip
	opaque bool // the request was not understood

	protocol Protocol
}

// trip is what became of a request between us and the workers.
type trip struct {
	dispatched bool  // it left the queue
	waited     int64 // ns in the queue
	pid        int   // of the worker that answered; 0 if none did
}

// ask notes what the logs want to know of a request whose origin was traced.
func (n *logLine) ask(k *ledger, c *conn, o *origin, h *http1.Head, began int64) {
	n.began, n.trip, n.opaque, n.protocol = began, trip{}, false, c.protocol()
	if k == nil || len(k.rolls) == 0 {
		return
	}
	o.lookup.conn, o.lookup.origin, o.lookup.head = c, o, h
	r := accesslog.Request{
		Client: o.client, Method: h.Method, Target: h.Target, Path: o.path, Query: h.Query,
		Protocol: o.protocol, ID: o.id, Lookup: &o.lookup,
	}
	for i := range k.rolls {
		n.notes[i] = k.rolls[i].format.Ask(n.notes[i][:0], &r)
	}
	o.lookup.conn, o.lookup.origin, o.lookup.head = nil, nil, nil
}

// askUnknown is ask for a request that was not understood: its client is all
// there is to say.
func (n *logLine) askUnknown(k *ledger, c *conn, began int64) {
	n.began, n.trip, n.opaque, n.protocol = began, trip{}, true, c.protocol()
	if k == nil {
		return
	}
	for i := range k.rolls {
		n.notes[i] = k.rolls[i].format.Ask(n.notes[i][:0], &accesslog.Request{Client: c.client})
	}
}

// finish counts the answer of a request and notes it on the loop's sheet. head is
// the response as it was sent, or at least its head.
func (n *logLine) finish(l *loop, status int, size int64, head []byte) {
	if n.began == 0 {
		return
	}
	l.figures.answered(n.protocol, status, n.took(l.now))
	s := l.sheet
	if s == nil {
		return
	}
	took := time.Duration(l.now - n.began)
	if s.ledger.stats != nil {
		s.tally.Request(status, took)
	}
	if len(s.ledger.rolls) == 0 {
		return
	}
	a := n.response(status, size, took, head)
	for i := range s.ledger.rolls {
		s.lines[i] = s.ledger.rolls[i].format.Answer(s.lines[i], n.notes[i], &a)
	}
	s.count++
}

// took is the time of an answer that was given now, for figures.
func (n *logLine) took(now int64) int64 {
	if n.opaque {
		return -1
	}
	return max(now-n.began, 0)
}

// log does it for a goroutine.
func (n *logLine) log(g *gateway, status int, size int64, head []byte) {
	if n.began == 0 {
		return
	}
	now := dispatch.Monotonic()
	g.figures.answeredElsewhere(n.protocol, status, n.took(now))
	k := g.ledger
	if k == nil {
		return
	}
	took := time.Duration(now - n.began)
	k.stats.Request(status, took)
	a := n.response(status, size, took, head)
	for i := range k.rolls {
		line := k.rolls[i].format.Answer(nil, n.notes[i], &a)
		for _, w := range k.rolls[i].writers {
			w.Add(line, 1)
		}
	}
}

func (n *logLine) response(status int, size int64, took time.Duration, head []byte) accesslog.Response {
	a := accesslog.Response{Time: time.Now(), Status: status, Size: size, Took: took, Waited: -1, PID: n.trip.pid, Head: head}
	if n.trip.dispatched {
		a.Waited = time.Duration(n.trip.waited)
	}
	return a
}

// recycle keeps the memory for the next request.
func (n *logLine) recycle() (kept logLine) {
	for i := range n.notes {
		kept.notes[i] = n.notes[i][:0]
	}
	return kept
}

// detach forgets what another has taken over.
func (n *logLine) detach() { *n = logLine{trip: n.trip} }

// logRefused notes a request that was not understood.
func (l *loop) logRefused(c *conn, status int, head []byte) {
	n := &l.unknown
	n.askUnknown(l.gateway.ledger, c, l.now)
	n.finish(l, status, 0, head)
}

// newLine is the line of a request in the hands of a goroutine.
func (x *exchange) newLine(h *http1.Head) (line logLine) {
	line.ask(x.gateway.ledger, x.conn, &x.origin, h, x.began)
	return line
}

// remember keeps the head of a response, if a log wants to know of its fields.
func (x *exchange) remember(head []byte) {
	if k := x.gateway.ledger; k != nil && k.heads {
		x.head = append(x.head[:0], head...)
	}
}
