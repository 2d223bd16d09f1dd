package main

import (
	"sync"
	"time"
)

// outcome is how a request ended for its client.
type outcome string

const (
	answered          outcome = "answered"
	answeredOtherwise outcome = "status" // with another status than 200 (or 101)
	wrong             outcome = "wrong answer"
	refused           outcome = "refused"    // no connection
	cut               outcome = "cut"        // the connection ended before the response began
	cutShort          outcome = "cut short"  // it ended in the middle of the response
	closed            outcome = "closed"     // a conversation, by a close frame
	unanswered        outcome = "unanswered" // within patience
	left              outcome = "left"       // by the client, on purpose
)

// entry is a request in the book.
type entry struct {
	kind, name string
	opened     time.Time // its connection, at the earliest
	sent       time.Time
	ended      time.Time
	outcome    outcome
	status     int // of the response, or the code of a close frame
	detail     string
}

// blow is a signal that the round sent.
type blow struct {
	role   string
	pid    int
	signal string
	from   time.Time // just before it was sent
	to     time.Time // just after
}

// death is the end of a worker as indrik's log has it.
type death struct {
	pid    int
	cause  string
	reason string
	signal string
	status string
	lived  time.Duration
	at     time.Time // when the line was read
}

// fault reports that the worker ended for something that went wrong with it.
func (d death) fault() bool { return d.cause != "asked" }

// unborn reports that it never took a request.
func (d death) unborn() bool {
	return d.cause == "boot failed" || d.cause == "load failed" || d.cause == "never ready"
}

// late reports that it was killed for what took too long.
func (d death) late() bool { return d.cause == "timeout" || d.cause == "silent" }

// spell is a time in which something was as it should not be.
type spell struct {
	what     string
	from, to time.Time // to is zero while it lasts
}

// book is what happened in a round, written by clients, faults and the reader of the
// log at the same time.
type book struct {
	mu      sync.Mutex
	entries []entry
	blows   []blow
	deaths  []death
	spells  []spell
	faults  map[string]int // how often each was injected
	// overran are requests that a worker says were past request_timeout, by their names,
	// with that limit.
	overran map[string]time.Duration
}

func newBook() *book { return &book{faults: map[string]int{}, overran: map[string]time.Duration{}} }

func (b *book) enter(e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
}

func (b *book) struck(s blow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blows = append(b.blows, s)
}

func (b *book) died(d death) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaths = append(b.deaths, d)
}

func (b *book) interrupted(name string, limit time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.overran[name] = limit
}

func (b *book) injected(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[name]++
}

// begin notes that a spell begins; the function it returns ends it.
func (b *book) begin(what string) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.spells)
	b.spells = append(b.spells, spell{what: what, from: time.Now()})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.spells[n].to = time.Now()
	}
}
