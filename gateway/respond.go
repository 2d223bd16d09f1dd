package gateway

import (
	"fmt"
	"strconv"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// headFacts is what the writer of a body must know of the head before it.
type headFacts struct {
	status   int
	length   int64  // what the application declared, -1 if nothing
	idField  []byte // the application may not send it; empty if it may
	bodiless bool   // by its status, or because HEAD was asked (RFC 9112 section 6.3)
}

// appendReplyHead appends status line and fields of a reply, without the framing
// fields and without the empty line: frame or appendFinished adds those. The
// reader stands before the status and is left before the body.
//
// Hop-by-hop fields of the application are dropped, and so are Server and Date
// (RFC 9110 section 7.6.1; Gunicorn does the same), and the request's id, which
// we say. What could split the
// response is an error, and nothing of the reply may be sent then.
func appendReplyHead(b []byte, rd *dispatch.Reader, date []byte, state asked) ([]byte, headFacts, error) {
	facts := headFacts{length: -1}
	if len(state.id) > 0 {
		facts.idField = state.idField()
	}
	status, line, err := replyStatus(rd)
	if err != nil {
		return b, facts, err
	}
	facts.status = status
	if facts.status < 200 {
		return b, facts, fmt.Errorf("%w: %d is no final status", errBadReply, facts.status)
	}
	facts.bodiless = state.head || http1.Bodyless(facts.status)
	b = appendStatusLine(b, state.minor, status, line)
	b = append(b, serverField...)
	b = append(b, date...)
	if len(state.id) > 0 {
		b = http1.AppendField(b, facts.idField, state.id)
	}
	n, err := rd.Sequence()
	for ; n > 0 && err == nil; n-- {
		b, err = appendReplyField(b, rd, &facts)
	}
	if err != nil {
		return b, facts, fmt.Errorf("%w: header: %w", errBadReply, err)
	}
	return b, facts, nil
}

// sent is how much of a finished body the client gets.
func (f headFacts) sent(body []byte) int64 {
	switch {
	case f.bodiless:
		return 0
	case f.length >= 0:
		return min(f.length, int64(len(body)))
	}
	return int64(len(body))
}

const serverField = "Server: indrik\r\n"

func appendReplyField(b []byte, rd *dispatch.Reader, facts *headFacts) ([]byte, error) {
	name, value, err := replyField(rd)
	if err != nil || connectionField(name) || len(facts.idField) > 0 && sameName(name, facts.idField) {
		return b, err
	}
	if sameName(name, []byte("content-length")) {
		if facts.length >= 0 {
			return b, fmt.Errorf("Content-Length given twice")
		}
		facts.length, err = strconv.ParseInt(string(value), 10, 63)
		if err != nil || facts.length < 0 || value[0] == '+' {
			return b, fmt.Errorf("invalid Content-Length %q", value)
		}
		return b, nil // frame writes it
	}
	return http1.AppendField(b, name, value), nil
}

// appendFinished completes the head of a reply whose whole body is known and
// appends the body. A body longer than declared is cut; after a shorter one the
// connection closes, so that the client can tell (state.keep is cleared).
func appendFinished(b []byte, facts headFacts, body []byte, state *asked) []byte {
	if facts.bodiless {
		return frame(b, facts, *state, facts.length)
	}
	length := facts.length
	if length < 0 {
		length = int64(len(body))
	}
	if int64(len(body)) > length {
		body = body[:length]
	} else if int64(len(body)) < length {
		state.keep = false
	}
	return append(frame(b, facts, *state, length), body...)
}

// frame ends a head with Content-Length (if length is not negative),
// Transfer-Encoding (if it is, a body follows and the client speaks 1.1) and
// Connection, where they are not the default of the client's version.
func frame(b []byte, facts headFacts, state asked, length int64) []byte {
	switch {
	case length >= 0 && facts.status != 204:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	case facts.bodiless:
	case state.minor >= 1:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case !state.keep:
		b = append(b, "Connection: close\r\n"...)
	case state.minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

// dateCache renders the Date field once a second.
type dateCache struct {
	until int64
	field []byte
}

// at returns the whole field for a time on CLOCK_MONOTONIC that is now.
func (d *dateCache) at(now int64) []byte {
	if now >= d.until {
		wall := time.Now()
		d.until = now + int64(time.Second) - int64(wall.Nanosecond())
		d.field = append(http1.AppendDate(append(d.field[:0], "Date: "...), wall), "\r\n"...)
	}
	return d.field
}
