package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// replyStatus reads the status of a reply, "200 OK" or 200. line is what
// belongs on a status line, or nil if only the number was given; it aliases the
// message unless it had to be changed to latin-1.
func replyStatus(rd *dispatch.Reader) (code int, line []byte, err error) {
	kind, err := rd.Kind()
	if err == nil && kind == dispatch.KindInt {
		var number int64
		if number, err = rd.Int(); err == nil && (number < 100 || number > 999) {
			err = fmt.Errorf("%d is none", number)
		}
		code = int(number)
	} else if err == nil {
		if line, err = rd.Str(); err == nil {
			line, err = latin1(line)
		}
		var valid bool
		if code, valid = http1.ValidStatus(line); err == nil && !valid {
			err = fmt.Errorf("%q is none", line)
		}
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%w: status: %w", errBadReply, err)
	}
	return code, line, nil
}

// appendStatusLine appends the status line of a client's HTTP/1 version.
func appendStatusLine(b []byte, minor uint8, code int, line []byte) []byte {
	if line != nil {
		return http1.AppendStatusLine(b, int(minor), line)
	}
	var room [64]byte
	made := append(strconv.AppendInt(room[:0], int64(code), 10), ' ')
	return http1.AppendStatusLine(b, int(minor), append(made, http.StatusText(code)...))
}

// replyField reads one field of a reply, of an informational reply or of
// trailers, and checks it: what could split the response is an error. The
// results alias the message, but for a value that has to be changed to latin-1.
// Which fields may be sent is the caller's to decide
// (connectionField).
func replyField(rd *dispatch.Reader) (name, value []byte, err error) {
	items, err := rd.Sequence()
	if err == nil && items != 2 {
		err = fmt.Errorf("%d items where a name and a value belong", items)
	}
	if err != nil {
		return nil, nil, err
	}
	if name, _, err = octets(rd); err != nil {
		return nil, nil, err
	}
	if !http1.ValidFieldName(name) {
		return nil, nil, fmt.Errorf("invalid field name %q", name)
	}
	value, text, err := octets(rd)
	if err == nil && text {
		value, err = latin1(value)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("field %s: %w", name, err)
	}
	if !http1.ValidFieldValue(value) {
		return nil, nil, fmt.Errorf("invalid value of field %s: %q", name, value)
	}
	return name, value, nil
}

// octets reads a bytes or a str object; text tells which.
func octets(rd *dispatch.Reader) (p []byte, text bool, err error) {
	kind, err := rd.Kind()
	if err != nil {
		return nil, false, err
	}
	if kind == dispatch.KindBytes {
		p, err = rd.Bytes()
		return p, false, err
	}
	p, err = rd.Str()
	return p, true, err
}

// latin1 returns UTF-8 text as latin-1, which is what a native string of PEP
// 3333 stands for: the text itself if that is the same.
func latin1(text []byte) ([]byte, error) {
	ascii := 0
	for ascii < len(text) && text[ascii] < 0x80 {
		ascii++
	}
	if ascii == len(text) {
		return text, nil
	}
	out := append(make([]byte, 0, len(text)), text[:ascii]...)
	for i := ascii; i < len(text); i++ {
		switch c := text[i]; {
		case c < 0x80:
			out = append(out, c)
		case (c == 0xc2 || c == 0xc3) && i+1 < len(text):
			i++
			out = append(out, c<<6|text[i]&0x3f)
		default:
			return nil, fmt.Errorf("value %q has characters beyond latin-1", text)
		}
	}
	return out, nil
}

// connectionField reports a field that is about the connection or is the
// gateway's to say, and so is dropped from what an application sends (RFC 9110
// section 7.6.1; Gunicorn does the same).
func connectionField(name []byte) bool {
	return http1.IsHopByHop(name) || sameName(name, []byte("server")) || sameName(name, []byte("date"))
}

// hints is an informational response (RFC 9110 section 15.2).
type hints struct {
	status int
	fields [][2][]byte // alias the message
}

// readHints reads an informational reply (id, status, headers). Framing fields
// have no place in it and are dropped.
func readHints(message []byte) (hints, error) {
	var rd dispatch.Reader
	rd.Reset(message)
	items, err := rd.Tuple()
	if err == nil {
		_, err = rd.Int()
	}
	if err == nil && items != 3 {
		err = fmt.Errorf("%d items", items)
	}
	if err != nil {
		return hints{}, fmt.Errorf("%w: informational response: %w", errBadReply, err)
	}
	status, _, err := replyStatus(&rd)
	if err != nil {
		return hints{}, err
	}
	if status < 102 || status > 199 {
		return hints{}, fmt.Errorf("%w: %d is no informational status", errBadReply, status)
	}
	h := hints{status: status}
	err = eachField(&rd, func(name, value []byte) error {
		if !sameName(name, []byte("content-length")) {
			h.fields = append(h.fields, [2][]byte{name, value})
		}
		return nil
	})
	if err != nil {
		return hints{}, fmt.Errorf("%w: informational response: %w", errBadReply, err)
	}
	return h, nil
}

// eachField calls f with the fields of a list or tuple that may be sent to a
// client.
func eachField(rd *dispatch.Reader, f func(name, value []byte) error) error {
	n, err := rd.Sequence()
	for ; n > 0 && err == nil; n-- {
		var name, value []byte
		if name, value, err = replyField(rd); err == nil && !connectionField(name) {
			err = f(name, value)
		}
	}
	return err
}

// append appends the response as HTTP/1.1 has it.
func (h hints) append(b []byte) []byte {
	b = appendStatusLine(b, 1, h.status, nil)
	for _, f := range h.fields {
		b = http1.AppendField(b, f[0], f[1])
	}
	return append(b, "\r\n"...)
}

// outcome is how a begun reply ended.
type outcome struct {
	complete bool
	trailers [][2][]byte // alias the message
}

// errEnding reports the end of a begun reply that cannot be read.
var errEnding = errors.New("malformed end of a reply")

// readOutcome reads the message (id, None, complete, text) or (id, None,
// complete, text, trailers).
func readOutcome(message []byte) (outcome, error) {
	var rd dispatch.Reader
	rd.Reset(message)
	items, err := rd.Tuple()
	if err != nil || items < 4 || items > 5 {
		return outcome{}, fmt.Errorf("%w: %d items", errEnding, items)
	}
	_, err1 := rd.Int()
	err2 := rd.None()
	var o outcome
	var err3, err4 error
	o.complete, err3 = rd.Bool()
	_, err4 = rd.Str()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return outcome{}, fmt.Errorf("%w: %w", errEnding, err)
	}
	if items == 5 {
		err = eachField(&rd, func(name, value []byte) error {
			if !framingField(name) {
				o.trailers = append(o.trailers, [2][]byte{name, value})
			}
			return nil
		})
	}
	if err != nil {
		return outcome{}, fmt.Errorf("%w: trailers: %w", errEnding, err)
	}
	return o, nil
}

// framingField reports a field that may not be a trailer although it is not
// about the connection: it would come too late (RFC 9110 section 6.5.1).
func framingField(name []byte) bool {
	return sameName(name, []byte("content-length")) || sameName(name, []byte("host")) ||
		sameName(name, []byte("content-encoding")) || sameName(name, []byte("content-type")) ||
		sameName(name, []byte("content-range")) || sameName(name, []byte("set-cookie"))
}
