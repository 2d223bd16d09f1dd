package http1

import (
	"bytes"
	"math"
)

// Get returns the value of the first field of that name, in any case of ASCII
// letters, and whether there is one. It compares with each field in turn.
func (h *Head) Get(name string) ([]byte, bool) {
	for i := range h.Fields {
		if equalFold(h.Fields[i].Name, name) {
			return h.Fields[i].Value, true
		}
	}
	return nil, false
}

// field parses one field line (RFC 9112 §5), with its continuations if it is
// folded.
func (h *Head) field(line []byte, lim *Limits) *Error {
	if over(len(line)+len("\r\n"), lim.FieldSize) {
		return refuse(431, "field line too long")
	}
	if over(len(h.Fields)+1, lim.Fields) {
		return refuse(431, "too many fields")
	}
	n := span(line, isToken)
	colon := n
	if n == 0 || n == len(line) || line[n] != ':' {
		if colon = lateColon(line, n, lim); colon < 0 {
			return badName(line, n)
		}
	}
	f := Field{Name: line[:n], Value: trim(line[colon+1:])}
	if !validValue(f.Value) {
		var err *Error
		if f.Value, err = h.unfold(f); err != nil {
			return err
		}
	}
	h.Fields = append(h.Fields, f)
	return h.note(f)
}

// lateColon finds the colon behind the blanks that follow a token of n bytes.
// It returns -1 if there is none, or they are not permitted.
func lateColon(line []byte, n int, lim *Limits) int {
	at := n + blanks(line[n:])
	if n == 0 || at == len(line) || line[at] != ':' || !lim.Permit.SpaceBeforeColon {
		return -1
	}
	return at
}

// badName says why line, a token of n bytes and then no colon, is no field.
func badName(line []byte, n int) *Error {
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return refuse(400, "folded field line")
	case n == len(line):
		return refuse(400, "field line without colon")
	case n > 0 && (line[n] == ' ' || line[n] == '\t'):
		return refuse(400, "blank in or after a field name")
	}
	return refuse(400, "malformed field name")
}

// note takes in the fields that have to do with framing or the connection.
// Their names differ in length, so most fields cost one comparison of it.
func (h *Head) note(f Field) *Error {
	switch len(f.Name) {
	case len("Host"):
		if equalFold(f.Name, "host") {
			return h.noteHost(f.Value)
		}
	case len("Expect"):
		if equalFold(f.Name, "expect") {
			return h.noteExpect(f.Value)
		}
	case len("Connection"):
		if equalFold(f.Name, "connection") {
			h.noteConnection(f.Value)
		}
	case len("Content-Type"):
		if equalFold(f.Name, "content-type") {
			if h.contentType {
				return refuse(400, "repeated Content-Type")
			}
			h.contentType = true
		}
	case len("Content-Length"):
		if equalFold(f.Name, "content-length") {
			return h.noteContentLength(f.Value)
		}
	case len("Transfer-Encoding"):
		if equalFold(f.Name, "transfer-encoding") {
			return h.noteTransferEncoding(f.Value)
		}
	}
	return nil
}

func (h *Head) noteHost(v []byte) *Error {
	if h.host {
		return refuse(400, "repeated Host")
	}
	if _, ok := authority(v); !ok {
		return refuse(400, "malformed Host")
	}
	h.host, h.Host = true, v
	return nil
}

// noteExpect knows one expectation (RFC 9110 §10.1.1), and must not act on it
// in HTTP/1.0.
func (h *Head) noteExpect(v []byte) *Error {
	if !equalFold(v, "100-continue") {
		return refuse(417, "expectation other than 100-continue")
	}
	h.Expect100 = h.Minor == 1
	return nil
}

// noteConnection reads one list of connection options (RFC 9110 §7.6.1); items
// add up over all Connection fields. Options of no interest are passed over.
func (h *Head) noteConnection(v []byte) {
	for len(v) > 0 {
		item := v
		if i := bytes.IndexByte(v, ','); i >= 0 {
			item, v = v[:i], v[i+1:]
		} else {
			v = nil
		}
		item = trim(item)
		switch {
		case equalFold(item, "close"):
			h.closeItem = true
		case equalFold(item, "keep-alive"):
			h.keepAliveItem = true
		case equalFold(item, "upgrade"):
			h.upgradeItem = true
		}
	}
}

// noteContentLength accepts one number and nothing else. A list of equal
// numbers, which RFC 9110 §8.6 would let us repair, is refused.
func (h *Head) noteContentLength(v []byte) *Error {
	if h.ContentLength >= 0 {
		return refuse(400, "repeated Content-Length")
	}
	if h.transferEncoding {
		return refuse(400, "Content-Length beside Transfer-Encoding")
	}
	if len(v) == 0 {
		return refuse(400, "malformed Content-Length")
	}
	var n int64
	for _, c := range v {
		if class[c]&isDigit == 0 {
			return refuse(400, "malformed Content-Length")
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return refuse(400, "Content-Length too large to count")
		}
		n = n*10 + d
	}
	h.ContentLength = n
	return nil
}

// noteTransferEncoding accepts "chunked" and nothing else. Other codings that
// leave the framing clear are merely not implemented (501); lists in which
// chunked is not the last, or not alone in its name, and everything that is no
// list of tokens, are faults (RFC 9112 §6.1, §7).
func (h *Head) noteTransferEncoding(v []byte) *Error {
	switch {
	case h.transferEncoding:
		return refuse(400, "repeated Transfer-Encoding")
	case h.ContentLength >= 0:
		return refuse(400, "Content-Length beside Transfer-Encoding")
	case h.Minor == 0:
		return refuse(400, "Transfer-Encoding in HTTP/1.0")
	}
	h.transferEncoding = true
	if equalFold(v, "chunked") {
		h.Chunked = true
		return nil
	}
	for more := true; more; {
		var item []byte
		item, v, more = bytes.Cut(v, []byte{','})
		item = trim(item)
		if len(item) == 0 || !allOf(item, isToken) {
			return refuse(400, "malformed Transfer-Encoding")
		}
		if more && equalFold(item, "chunked") {
			return refuse(400, "transfer coding after chunked")
		}
	}
	return refuse(501, "transfer coding other than chunked")
}
