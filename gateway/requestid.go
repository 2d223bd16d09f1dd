package gateway

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/indrik/indrik/http1"
)

const (
	idLength     = 32  // of an id of ours: 128 bits in hexadecimal
	longestID    = 128 // of one that a proxy gave
	usualIDField = "X-Request-ID"
	startField   = "X-Request-Start"
)

// idSource makes request ids: 64 random bits that no other gateway has, and a
// counter, scrambled so that an id does not tell how many requests there were
// before. Any goroutine may use it.
type idSource struct {
	prefix, key uint64
	count       atomic.Uint64
}

func (s *idSource) seed() {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	s.prefix, s.key = binary.NativeEndian.Uint64(b[:]), binary.NativeEndian.Uint64(b[8:])
}

// append appends a new id.
func (s *idSource) append(b []byte) []byte {
	// Both steps can be undone, so no two counts give one id.
	n := (s.count.Add(1) ^ s.key) * 0x9e3779b97f4a7c15
	n ^= n >> 32
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], s.prefix)
	binary.BigEndian.PutUint64(raw[8:], n)
	return hex.AppendEncode(b, raw[:])
}

// marks is which fields the gateway adds to requests.
type marks struct {
	ids     idSource
	id      bool   // requests have an id, and responses say it
	idName  string // the field of it
	idField []byte // the same
	start   bool   // X-Request-Start
}

func (m *marks) configure(c Config) error {
	m.ids.seed()
	m.id, m.start = c.RequestID, c.RequestStart
	m.idName, m.idField = c.RequestIDHeader, []byte(c.RequestIDHeader)
	if !http1.ValidFieldName(m.idField) || http1.IsHopByHop(m.idField) || bytes.ContainsRune(m.idField, '_') {
		return fmt.Errorf("request_id_header: %q is no name for a header field of this kind", c.RequestIDHeader)
	}
	return nil
}

// stamp puts the fields that the settings ask for into a request that was
// parsed and traced: applications, on whichever path and by whichever interface,
// see them as any other field. o.id is the request's id afterwards, empty if it
// has none.
func (m *marks) stamp(o *origin, c *conn, h *http1.Head) {
	o.id = nil
	if m.id {
		given, _ := h.Get(m.idName)
		if c.trusted && saneID(given) {
			o.id = given
		} else {
			begin := len(o.room)
			o.room = m.ids.append(o.room)
			o.id = o.room[begin:]
		}
		setField(h, m.idField, o.id)
	}
	if m.start {
		given, _ := h.Get(startField)
		if c.trusted && saneStart(given) {
			return
		}
		begin := len(o.room)
		o.room = appendStart(o.room, time.Now())
		setField(h, startName, o.room[begin:])
	}
}

var startName = []byte(startField)

// appendStart renders a time as nginx's "t=${msec}" does, which is what monitors
// of queue time read (New Relic, Scout, Datadog, Sentry's and AppSignal's agents).
func appendStart(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	b = strconv.AppendInt(append(b, "t="...), ms/1000, 10)
	return append(b, '.', '0'+byte(ms/100%10), '0'+byte(ms/10%10), '0'+byte(ms%10))
}

// saneStart accepts the forms that proxies write: seconds with decimals,
// milliseconds (Heroku) or microseconds (Apache) since 1970, with or without "t=".
func saneStart(v []byte) bool {
	v = bytes.TrimPrefix(v, []byte("t="))
	whole, decimals, point := bytes.Cut(v, []byte{'.'})
	if len(whole) < 10 || len(whole) > 16 || point && len(decimals) == 0 || len(decimals) > 9 {
		return false
	}
	return onlyDigits(whole) && onlyDigits(decimals)
}

func onlyDigits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// saneID accepts what can be put into logs and pages as it is.
func saneID(v []byte) bool {
	if len(v) == 0 || len(v) > longestID {
		return false
	}
	for _, c := range v {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && bytes.IndexByte([]byte("-_.:/+=~@"), c) < 0 {
			return false
		}
	}
	return true
}

// setField makes value the only one of a field. The memory of both must last as
// long as the head is used.
func setField(h *http1.Head, name, value []byte) {
	kept, found := h.Fields[:0], false
	for _, f := range h.Fields {
		if !sameName(f.Name, name) {
			kept = append(kept, f)
			continue
		}
		if !found {
			kept = append(kept, http1.Field{Name: f.Name, Value: value})
		}
		found = true
	}
	if h.Fields = kept; !found {
		h.Fields = append(h.Fields, http1.Field{Name: name, Value: value})
	}
}

// identify gives a response of the gateway itself an id, if its request has none.
func (g *gateway) identify(state *asked) {
	state.field = g.marks.idField
	if len(state.id) == 0 {
		state.id = g.marks.ids.append(make([]byte, 0, idLength))
	}
}

// idField is the name of the field with the id.
func (a *asked) idField() []byte {
	if len(a.field) == 0 {
		return []byte(usualIDField)
	}
	return a.field
}

// detach gives a a memory of its own, for when it outlives its request.
func (a asked) detach() asked {
	a.id, a.accept = bytes.Clone(a.id), bytes.Clone(a.accept)
	return a
}

// remember copies what r.asked points to into memory of the request.
func (r *request) remember() {
	if len(r.asked.id)+len(r.asked.accept) == 0 {
		return
	}
	n := len(r.asked.id)
	r.notes = append(append(r.notes[:0], r.asked.id...), r.asked.accept...)
	r.asked.id, r.asked.accept = r.notes[:n:n], r.notes[n:]
}

// asks notes what the response to a head depends on. It points into head and
// origin.
func (g *gateway) asks(c *conn, h *http1.Head, o *origin) asked {
	a := askedBy(h, g.config.KeepAlive > 0 && !c.http2)
	a.id, a.field = o.id, g.marks.idField
	return a
}
