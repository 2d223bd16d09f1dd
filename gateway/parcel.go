package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// parcel is a connection on its way to another gateway: what that cannot learn
// from the socket itself. Fields it does not know it passes over, so that a
// gateway of the version before or after understands it.
type parcel struct {
	conn     *conn // the sender's; nil at the receiver
	listener string
	address  string // what the listener is bound to
	mode     string // what is spoken on it
	since    int64  // CLOCK_MONOTONIC ns: since when it waits for its client
	fresh    bool   // it has had no request yet
	begun    bool   // a part of one has arrived
	pending  []byte // that part, or what came behind a request
	header   bool   // its PROXY header is still to come
	about    *announced
	request  *request // complete, and with no worker yet; nil if there is none
	tongue   string   // what its notes for the logs are written for
}

// errParcel reports a message of the other gateway that is not one.
var errParcel = errors.New("malformed hand-over")

// message is the parcel as it travels, the socket beside it.
func (p *parcel) message() dispatch.Dict {
	d := dispatch.Dict{
		"listener": p.listener, "address": p.address, "mode": p.mode,
		"since": p.since, "fresh": p.fresh, "begun": p.begun, "pending": p.pending, "header": p.header,
	}
	if a := p.about; a != nil {
		d["client"], d["server"], d["secure"] = a.client.String(), a.server.String(), a.secure
	}
	if p.request != nil {
		d["request"], d["tongue"] = p.request.message(), p.tongue
	}
	return d
}

// message is a request that is queued. Its id is the sender's alone, so what
// follows it in the message to the worker is what travels.
func (r *request) message() dispatch.Dict {
	d := dispatch.Dict{
		"rest": r.msg[len(appendID(nil, r.id)):], "asgi": r.asgi, "since": r.since,
		"head": r.asked.head, "minor": int64(r.asked.minor), "keep": r.asked.keep, "trailers": r.asked.trailers,
		"id": r.asked.id, "accept": r.asked.accept, "began": r.line.began,
	}
	for i, note := range r.line.notes {
		d["note"+strconv.Itoa(i)] = note
	}
	return d
}

// appendID appends the beginning of a message to a worker.
func appendID(b []byte, id uint64) []byte {
	return dispatch.AppendInt(dispatch.AppendTuple(b, 3), int64(id))
}

// wrapped is roughly what a parcel takes of a message.
func (p *parcel) wrapped() int {
	n := 512 + len(p.pending)
	if r := p.request; r != nil {
		n += 512 + len(r.msg) + len(r.notes)
		for _, note := range r.line.notes {
			n += len(note)
		}
	}
	return n
}

// openParcel reads one.
func openParcel(v any) (*parcel, error) {
	d := fieldsOf{}
	d.all, d.bad = v.(dispatch.Dict)
	d.bad = !d.bad
	p := &parcel{
		listener: field[string](&d, "listener"), address: field[string](&d, "address"), mode: field[string](&d, "mode"),
		since: field[int64](&d, "since"), fresh: field[bool](&d, "fresh"), begun: field[bool](&d, "begun"),
		pending: field[[]byte](&d, "pending"), header: field[bool](&d, "header"),
	}
	if _, there := d.all["client"]; there {
		client, err := netip.ParseAddrPort(field[string](&d, "client"))
		server, err2 := netip.ParseAddrPort(field[string](&d, "server"))
		p.about = &announced{client: client, server: server, secure: field[bool](&d, "secure")}
		d.bad = d.bad || err != nil || err2 != nil
	}
	if request, there := d.all["request"]; there {
		p.request, p.tongue = openRequest(&d, request), field[string](&d, "tongue")
	}
	if d.bad {
		return nil, errParcel
	}
	return p, nil
}

// openRequest reads a request that has no id yet; its msg is what follows that.
func openRequest(d *fieldsOf, v any) *request {
	q := fieldsOf{}
	q.all, q.bad = v.(dispatch.Dict)
	q.bad = !q.bad
	r := &request{msg: field[[]byte](&q, "rest"), asgi: field[bool](&q, "asgi"), since: field[int64](&q, "since")}
	r.asked = asked{
		head: field[bool](&q, "head"), minor: uint8(field[int64](&q, "minor")), keep: field[bool](&q, "keep"),
		trailers: field[bool](&q, "trailers"), id: field[[]byte](&q, "id"), accept: field[[]byte](&q, "accept"),
	}
	r.line.began = field[int64](&q, "began")
	for i := range r.line.notes {
		r.line.notes[i] = field[[]byte](&q, "note"+strconv.Itoa(i))
	}
	d.bad = d.bad || q.bad
	return r
}

// fieldsOf gives typed access to a dict, as order does to a tuple.
type fieldsOf struct {
	all dispatch.Dict
	bad bool
}

func field[T any](d *fieldsOf, name string) T {
	v, ok := d.all[name].(T)
	if !ok {
		d.bad = true
	}
	return v
}

// mode is what clients of a listener are expected to speak. A connection cannot
// change that.
func (ln *listener) mode() string {
	return fmt.Sprintf("%s proxy:%v uwsgi:%v", ln.scheme, ln.proxy != noProxyHeader, ln.uwsgi)
}

// boundTo is what tells a listener from others of its name: its address.
func boundTo(sa unix.Sockaddr) string {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)).String()
	case *unix.SockaddrUnix:
		return "unix:" + a.Name
	}
	return ""
}

// tongue tells gateways apart whose notes of a request would not be understood by
// each other: they are written for the formats of the logs.
func (c Config) tongue() string {
	return fmt.Sprintf("%s %q file:%v journal:%v syslog:%v statsd:%v", c.Software, c.AccessFormat,
		c.AccessLog != "", c.AccessLog == accessJournal, c.AccessSyslog != nil, c.StatsD != nil)
}
