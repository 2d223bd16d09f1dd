package gateway

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/indrik/indrik/dispatch"
)

// Figures are what a gateway counts, in the order in which it lies in memory that
// the master shares: uint64 and nothing else. All but Now only grow.
//
// A master may read the figures of a gateway of another version, before and after
// it has replaced itself. So what is added goes to the end, what is there keeps its
// place, and the arrays keep their lengths.
type Figures struct {
	// Requests are those that were answered, by protocol and class of the status,
	// 1xx to 5xx; what the gateway answered itself counts too.
	Requests [numProtocols][classes]uint64
	// Abandoned are those whose client left before its answer.
	Abandoned uint64
	// Latency is from the round in which the head of a request was complete to
	// that in which the last byte of the answer was given to the kernel. Requests
	// that were not understood, and those answered with 1xx, are not in it.
	Latency Histogram
	// Wait is how long requests that were given to workers were queued for it.
	Wait Histogram
	// Received and Sent are bytes on the sockets of clients, as the kernel took
	// and gave them: with TLS, its records.
	Received, Sent uint64
	// Accepted are connections; HTTP2 are those of them that spoke it.
	Accepted, HTTP2 uint64
	// Handshakes are those of TLS: whole, and failed.
	Handshakes, BadHandshakes uint64
	// WebSockets are conversations that were begun, Takeovers connections that
	// WSGI applications took over.
	WebSockets, Takeovers uint64
	// Refused are the responses that the gateway gave itself and connections that
	// it turned away, by reason.
	Refused [maxReasons]uint64
	// Now is what is so at the moment.
	Now struct {
		WebSockets, Takeovers, HTTP2 uint64
	}
}

// figureWords is how many numbers that is.
const figureWords = int(unsafe.Sizeof(Figures{}) / unsafe.Sizeof(uint64(0)))

// Protocol is what a request came in.
type Protocol int

// The protocols. HTTP/1.0 counts as HTTP/1.1.
const (
	HTTP1 Protocol = iota
	HTTP2Stream
	UWSGI
	numProtocols
)

// String is the name as metrics have it.
func (p Protocol) String() string {
	return [numProtocols]string{"http/1.1", "http/2", "uwsgi"}[p]
}

const classes = 5

// buckets is how many bounds a histogram has.
const buckets = 16

// bounds are the upper ends of a histogram's buckets, themselves included, in ns.
var bounds = [buckets]int64{
	500e3, 1e6, 2500e3, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6, 500e6, 1e9, 2500e6, 5e9, 10e9, 30e9, 60e9,
}

// Bounds returns the upper ends of the buckets of a histogram but for the last,
// which has none.
func Bounds() []time.Duration {
	all := make([]time.Duration, buckets)
	for i, ns := range bounds {
		all[i] = time.Duration(ns)
	}
	return all
}

// Histogram counts times by how long they were.
type Histogram struct {
	Buckets [buckets + 1]uint64 // not added up; the last is of those beyond all bounds
	Sum     uint64              // ns
}

// bucket is the one that a time of ns belongs into.
func (h *Histogram) bucket(ns int64) *uint64 {
	for i := range bounds {
		if ns <= bounds[i] {
			return &h.Buckets[i]
		}
	}
	return &h.Buckets[buckets]
}

// Count is how many times were counted.
func (h *Histogram) Count() (n uint64) {
	for _, in := range h.Buckets {
		n += in
	}
	return n
}

// NewFigures makes the memory in which a gateway of so many loops counts.
func NewFigures(loops int) (*dispatch.Counters, error) {
	return dispatch.NewCounters(loops+1, figureWords)
}

// Add adds what was counted there.
func (f *Figures) Add(c *dispatch.Counters) { c.Load(f.words()) }

// Forget makes what is so at the moment nothing, because the gateway has ended: in
// memory that the next goes on with.
func Forget(c *dispatch.Counters) {
	first := int(unsafe.Offsetof(Figures{}.Now) / unsafe.Sizeof(uint64(0)))
	for word := first; word < min(figureWords, c.Words()); word++ {
		c.Reset(word)
	}
}

// words are the figures as they lie in memory.
func (f *Figures) words() []uint64 { return (*[figureWords]uint64)(unsafe.Pointer(f))[:] }

// figures are those that a block of numbers holds. Where the master keeps none, as
// in tests of parts, they are counted for nobody.
func figures(c *dispatch.Counters, block int) *Figures {
	if c == nil || c.Words() < figureWords {
		return new(Figures)
	}
	return (*Figures)(unsafe.Pointer(&c.Block(block)[0]))
}

// request returns where a response of this status is counted.
func (f *Figures) request(p Protocol, status int) *uint64 {
	return &f.Requests[p][min(max(status/100-1, 0), classes-1)]
}

// answered counts a response that took so long, of a loop on its own figures. took
// is negative if its request was not understood.
func (f *Figures) answered(p Protocol, status int, took int64) {
	*f.request(p, status)++
	if took >= 0 && status >= 200 {
		*f.Latency.bucket(took)++
		f.Latency.Sum += uint64(took)
	}
}

// waited counts a request that was given to a worker after so long.
func (f *Figures) waited(ns int64) {
	*f.Wait.bucket(ns)++
	f.Wait.Sum += uint64(ns)
}

// answeredElsewhere is answered for goroutines, on the figures that they share.
func (f *Figures) answeredElsewhere(p Protocol, status int, took int64) {
	add(f.request(p, status), 1)
	if took >= 0 && status >= 200 {
		add(f.Latency.bucket(took), 1)
		add(&f.Latency.Sum, int(took))
	}
}

// add counts for goroutines, which share their figures.
func add(figure *uint64, n int) { atomic.AddUint64(figure, uint64(n)) }

// protocol is what requests of a connection come in.
func (c *conn) protocol() Protocol {
	switch {
	case c.http2:
		return HTTP2Stream
	case c.listener.uwsgi:
		return UWSGI
	}
	return HTTP1
}
