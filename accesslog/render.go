package accesslog

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Request is what a line says of a request. The slices are lent for the call.
type Request struct {
	Client         []byte // address as text; empty if it is unknown
	Method, Target []byte
	Path, Query    []byte
	Protocol       string
	ID             []byte // empty if it has none
	Lookup         Lookup
}

// Lookup finds what a format asks for by name, in any case. A nil Lookup finds
// nothing.
type Lookup interface {
	// Field is the value of a header field of the request, the first of several.
	Field(name string) (value []byte, found bool)
	// Only is the value of a header field that the request has once.
	Only(name string) (value []byte, found bool)
	// Variable is a value of the environ that the application is called with.
	Variable(name string) (value []byte, found bool)
}

// Response is what a line says of a response.
type Response struct {
	Time   time.Time // of the end of the request
	Status int
	Size   int64         // bytes of body that were sent
	Took   time.Duration // since the request's head was complete
	Waited time.Duration // of that in the queue; negative if it never left it
	PID    int           // of the worker that answered; 0 if none did
	Head   []byte        // status line and fields as they were sent, or more of it
}

// end ends a run of pieces in a note. It cannot be in a value: control
// characters are escaped.
const end = 0

// Ask appends what the format wants to know of a request: a note for Answer.
func (f *Format) Ask(note []byte, r *Request) []byte {
	open := false
	for i := range f.pieces {
		p := &f.pieces[i]
		if p.atom > late {
			if open {
				note, open = append(note, end), false
			}
			continue
		}
		note, open = f.ask(note, p, r), true
	}
	if open {
		note = append(note, end)
	}
	return note
}

func (f *Format) ask(b []byte, p *piece, r *Request) []byte {
	switch p.atom {
	case literal:
		return append(b, p.text...)
	case client:
		return f.value(b, p, r.Client, len(r.Client) > 0)
	case user:
		var room [96]byte
		name, found := basicUser(room[:0], r.Lookup)
		return f.value(b, p, name, found)
	case line:
		if len(r.Method) == 0 {
			break
		}
		b = append(f.escape(b, r.Method), ' ')
		return append(append(f.escape(b, r.Target), ' '), r.Protocol...)
	case method:
		return f.value(b, p, r.Method, len(r.Method) > 0)
	case path:
		return f.value(b, p, r.Path, len(r.Path) > 0)
	case target:
		return f.value(b, p, r.Target, len(r.Target) > 0)
	case query:
		return f.escape(b, r.Query) // Gunicorn has nothing here where there is none
	case protocol:
		var room [16]byte
		return f.value(b, p, append(room[:0], r.Protocol...), r.Protocol != "")
	case requestID:
		return f.value(b, p, r.ID, len(r.ID) > 0)
	case traceID, field, variable:
		if r.Lookup == nil {
			break
		}
		if p.atom == traceID {
			value, _ := r.Lookup.Only("traceparent") // of two nobody knows which counts
			trace := traceOf(value)
			return f.value(b, p, trace, trace != nil)
		}
		if p.atom == variable {
			value, found := r.Lookup.Variable(p.name)
			return f.value(b, p, value, found)
		}
		value, found := r.Lookup.Field(p.name)
		return f.value(b, p, value, found)
	}
	return f.value(b, p, nil, false)
}

// Answer appends an entry: note is what Ask gave.
func (f *Format) Answer(b, note []byte, a *Response) []byte {
	asked := false // the run that this piece belongs to is written
	for i := range f.pieces {
		p := &f.pieces[i]
		if p.atom > late {
			b, asked = f.answer(b, p, a), false
			continue
		}
		if asked {
			continue
		}
		n := bytes.IndexByte(note, end)
		b, note, asked = append(b, note[:max(n, 0)]...), note[n+1:], true
	}
	return b
}

func (f *Format) answer(b []byte, p *piece, a *Response) []byte {
	switch p.atom {
	case logTime:
		return append(a.Time.AppendFormat(append(b, '['), "02/Jan/2006:15:04:05 -0700"), ']')
	case clock:
		return a.Time.AppendFormat(b, "15:04:05")
	case isoTime:
		return append(a.Time.AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000000Z07:00"), '"')
	case status:
		return strconv.AppendInt(b, int64(a.Status), 10)
	case size:
		return strconv.AppendInt(b, a.Size, 10)
	case seconds:
		return strconv.AppendInt(b, int64(a.Took/time.Second), 10)
	case millis:
		return strconv.AppendInt(b, a.Took.Milliseconds(), 10)
	case micros:
		return strconv.AppendInt(b, a.Took.Microseconds(), 10)
	case tenths:
		return strconv.AppendFloat(b, float64(max(a.Took, 0))/float64(time.Millisecond), 'f', 1, 64)
	case decimal:
		return appendDecimal(b, a.Took)
	case waited, waitedMicros:
		switch {
		case a.Waited < 0:
		case p.atom == waited:
			return appendDecimal(b, a.Waited)
		default:
			return strconv.AppendInt(b, a.Waited.Microseconds(), 10)
		}
	case worker:
		if a.PID != 0 {
			return append(strconv.AppendInt(append(b, '<'), int64(a.PID), 10), '>')
		}
	case workerPID:
		if a.PID != 0 {
			return strconv.AppendInt(b, int64(a.PID), 10)
		}
	case replyField:
		value, found := headField(a.Head, p.name)
		return f.value(b, p, value, found)
	}
	return f.value(b, p, nil, false)
}

// value appends a value that a client or an application chose, or what stands
// for none.
func (f *Format) value(b []byte, p *piece, v []byte, found bool) []byte {
	switch {
	case found && p.quote:
		return append(f.escape(append(b, '"'), v), '"')
	case found:
		return f.escape(b, v)
	case f.json:
		return append(b, "null"...)
	}
	return append(b, '-')
}

// appendDecimal appends seconds with six decimals.
func appendDecimal(b []byte, d time.Duration) []byte {
	micros := max(d.Microseconds(), 0)
	b = append(strconv.AppendInt(b, micros/1e6, 10), '.')
	for unit := int64(1e5); unit > 0; unit /= 10 {
		b = append(b, '0'+byte(micros/unit%10))
	}
	return b
}

// basicUser appends the user of RFC 7617 credentials to room. Names that do not
// fit it are cut: they are for people to read.
func basicUser(room []byte, from Lookup) ([]byte, bool) {
	if from == nil {
		return nil, false
	}
	value, found := from.Field("authorization")
	const scheme = "basic "
	if !found || len(value) < len(scheme) || !sameFold(value[:len(scheme)], scheme) {
		return nil, false
	}
	value = bytes.Trim(value[len(scheme):], " ")
	if longest := cap(room) / 3 * 4; len(value) > longest {
		value = value[:longest]
	}
	n, err := base64.StdEncoding.Decode(room[:cap(room)], value)
	if err != nil {
		return nil, false
	}
	name, _, _ := bytes.Cut(room[:n], []byte{':'})
	return name, len(name) > 0
}

// headField finds a field in a response as it was sent.
func headField(head []byte, name string) ([]byte, bool) {
	for {
		_, rest, found := bytes.Cut(head, crlf)
		if !found || bytes.HasPrefix(rest, crlf) {
			return nil, false // the head is over
		}
		if len(rest) > len(name) && rest[len(name)] == ':' && sameFold(rest[:len(name)], name) {
			value, _, _ := bytes.Cut(rest[len(name)+1:], crlf)
			return bytes.TrimSpace(value), true
		}
		head = rest
	}
}

var crlf = []byte("\r\n")

// sameFold compares without regard to case of ASCII letters.
func sameFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s) // the compiler makes no copy
}
