package gateway

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/http1"
)

const (
	refusalPeriod = 10 * time.Second
	refusalLines  = 20  // in one period, of each kind
	longestQuote  = 120 // bytes of a client that a line quotes
)

// refusals writes a line for each response that the gateway gave itself. Clients
// can cause as many as they like, so there are no more than refusalLines in a
// period, and then one that says how many were left out. Any goroutine may use it.
type refusals struct {
	log   hclog.Logger
	level hclog.Level // of the line about those left out

	mu      sync.Mutex
	until   time.Time
	lines   int
	omitted int
}

// admit counts a line and reports whether it may be written.
func (r *refusals) admit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.After(r.until) {
		r.until, r.lines = now.Add(refusalPeriod), 0
	}
	if r.lines++; r.lines <= refusalLines {
		return true
	}
	if r.omitted++; r.omitted == 1 {
		time.AfterFunc(time.Until(r.until), r.tell)
	}
	return false
}

// tell says what was left out.
func (r *refusals) tell() {
	r.mu.Lock()
	omitted := r.omitted
	r.omitted = 0
	r.mu.Unlock()
	if omitted > 0 {
		r.log.Log(r.level, "lines about refused requests were left out", "count", omitted, "limit", refusalLines, "period", refusalPeriod)
	}
}

// note logs a response of the gateway itself: why, to whom, under which id, and
// what the client had written, if that is to blame.
func (g *gateway) note(why error, a ownAnswer, c *conn, state *asked, data []byte) {
	if errors.Is(why, errForbidden) {
		return // the application's own decision; it is in the access log
	}
	add(&g.figures.Refused[reasonOf(why)], 1)
	// What clients do is everyday, and of a worker's death the master warns.
	kind, level, message := &g.refused, hclog.Info, "request refused"
	switch {
	case errors.Is(why, errBadReply):
		kind, level, message = &g.failed, hclog.Error, "reply refused"
	case a.status == 500 || a.status == 507:
		kind, level, message = &g.failed, hclog.Error, "request failed"
	case a.status == 502 || a.status == 504:
		message = "request failed"
	}
	if !kind.admit() {
		return
	}
	facts := []any{"request", string(state.id), "status", a.status, "error", why}
	if c != nil && len(c.client) > 0 {
		facts = append(facts, "client", string(c.client))
	}
	if lost := (*lostError)(nil); errors.As(why, &lost) {
		facts = append(facts, lost.facts()...)
	}
	if text := offending(why, data); len(text) > 0 {
		facts = append(facts, "line", hclog.Quote(text))
	}
	g.log.Log(level, message, facts...)
}

// offending is the beginning of the line that was refused; of a request that was
// refused as a whole, its first. Bodies are never quoted.
func offending(why error, data []byte) string {
	var bad *http1.Error
	if errors.As(why, &bad) && bad.Offset < len(data) {
		data = data[max(bad.Offset, 0):]
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		data = data[:i+1]
	}
	if len(data) > longestQuote {
		return string(data[:longestQuote]) + "…"
	}
	return string(data)
}
