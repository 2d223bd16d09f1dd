package gateway

import (
	"fmt"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// lostError is why a request got no answer from the worker that held it, with what the
// log is to say of it.
type lostError struct {
	why  error  // errWorkerDied or errWorkerLate
	id   uint64 // as the scoreboard and the line about the worker's death have it
	pid  int    // of the worker; 0 if it left no trace
	age  int64  // ns since it was dispatched
	what string // method and path, quoted; "" if nobody knows
}

func (e *lostError) Error() string { return e.why.Error() }
func (e *lostError) Unwrap() error { return e.why }

// facts are keys and values for the log.
func (e *lostError) facts() []any {
	facts := []any{"held", fmt.Sprintf("%#x", e.id), "for", time.Duration(e.age).Round(time.Millisecond)}
	if e.pid != 0 {
		facts = append(facts, "worker", e.pid)
	}
	if e.what != "" {
		facts = append(facts, "what", e.what)
	}
	return facts
}

// lost is the error for a request that the worker pid held. What it was is read from its
// message, which is kept until it is answered: so it costs nothing until it is lost.
func (l *loop) lost(r *request, why error, pid int) *lostError {
	return &lostError{why: why, id: r.id, pid: pid, age: l.now - r.since, what: summary(r.msg)}
}

// summary is method and path of the request that a message for a worker holds; "" if it
// does not say.
func summary(msg []byte) string {
	var h InHand
	if h.portray(msg); h.Method == "" && h.Path == "" {
		return ""
	}
	return fmt.Sprintf("%s %.*q", h.Method, longestQuote, h.Path)
}

// wording is a value that is to be a str; another is passed over.
func wording(rd *dispatch.Reader) ([]byte, error) {
	if kind, err := rd.Kind(); err != nil || kind != dispatch.KindStr {
		return nil, rd.Skip()
	}
	value, err := rd.Str()
	return append([]byte{}, value...), err
}
