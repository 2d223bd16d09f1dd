package gateway

import (
	"bytes"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway/uwsgi"
	"github.com/indrik/indrik/http1"
)

// take parses one request from the start of data and dispatches it, refuses it
// or lends its connection to a goroutine. It returns how many bytes it used: 0
// when the request is not complete yet.
func (l *loop) take(c *conn, data []byte) (used int) {
	h, complete, err := l.parse(c, data)
	if err != nil && c.fresh && l.gateway.config.HTTP2.Cleartext && isPreface(data) {
		l.settle(c, data, (*resident).liveCleartext)
		return len(data)
	}
	if err != nil {
		l.refuse(c, err, data)
		return len(data)
	}
	if !complete {
		return 0
	}
	body := int(max(h.ContentLength, 0))
	switch {
	case l.gateway.site != nil && l.gateway.site.Claims(h.Method, l.origin.path):
		l.lendRequest(c, data)
		return len(data)
	case l.limits.body > 0 && h.ContentLength > l.limits.body:
		l.refuse(c, errBodyTooLarge, data)
		return len(data)
	case h.Upgrade && l.form.upgrades(h):
		l.lendRequest(c, data)
		return len(data)
	case h.Chunked, h.ContentLength > inlineBody, h.Expect100 && len(data) < h.Size+body:
		l.lendRequest(c, data)
		return len(data)
	case len(data) < h.Size+body:
		c.need = h.Size + body
		return 0
	}
	l.dispatch(c, h, data[:h.Size+body])
	return h.Size + body
}

// parse reads a head. A head that comes in pieces keeps its parser with the
// connection, so that its bytes are not looked at again for each piece.
func (l *loop) parse(c *conn, data []byte) (h *http1.Head, complete bool, err error) {
	h = &l.head
	if c.partial != nil {
		h = c.partial
	}
	complete, err = l.origin.parse(c, h, data, &l.rules)
	if complete || err != nil {
		c.partial = nil
		if err == nil {
			err = l.gateway.admit(&l.origin, c, h)
		}
		return h, complete, err
	}
	if c.listener.uwsgi {
		c.need, _ = uwsgi.Size(data) // the packet says how long it is
		return h, false, nil
	}
	if c.partial == nil {
		c.partial = new(http1.Head)
		*c.partial, l.head = l.head, http1.Head{}
	}
	return h, false, nil
}

// admit refuses what is lawful HTTP but nothing an application can be asked,
// takes out of the head what a client may not say, and traces the origin of
// the request. Every head goes through here before it is acted upon.
func (g *gateway) admit(o *origin, c *conn, h *http1.Head) error {
	if h.Form == http1.AuthorityForm {
		return errConnect
	}
	if h.Form == http1.AbsoluteForm {
		setHost(h, h.Authority) // RFC 9112 section 3.2.2: the field does not count
	}
	if err := g.forwarding.names.apply(h, c.trusted); err != nil {
		return err
	}
	if err := o.trace(c, h, &g.forwarding); err != nil {
		return err
	}
	if g.marks.id || g.marks.start {
		g.marks.stamp(o, c, h)
	}
	return nil
}

// dispatch queues the request of a head. data is the whole of it, with its body.
func (l *loop) dispatch(c *conn, h *http1.Head, data []byte) {
	r := l.requests.add()
	if r == nil {
		l.refuse(c, errQueueFull, data)
		return
	}
	r.conn, c.request = c, r
	r.asked, r.asgi = l.ask(h), l.form.asgi
	r.asked.id, r.asked.field = l.origin.id, l.gateway.marks.idField
	c.parted = !h.KeepAlive
	r.remember()
	body := data[h.Size:]
	r.msg = appendID(l.requests.room(r, messageRoom(h, len(body))), r.id)
	r.line.ask(l.gateway.ledger, c, &l.origin, h, l.now)
	r.msg = l.form.append(r.msg, c, h, &l.origin, int64(len(body)))
	r.msg = dispatch.AppendBytes(r.msg, body)
	if err := l.enqueue(r); err != nil {
		c.request = nil
		l.requests.drop(r)
		l.refuse(c, err, data)
		return
	}
	l.enter(c, waiting)
}

// messageRoom is about how many bytes a message takes: fields are longer in it by
// their names' prefix and what frames them.
func messageRoom(h *http1.Head, body int) int { return 2*h.Size + 1024 + body }

// ask notes what the response to a head depends on.
func (l *loop) ask(h *http1.Head) asked {
	return askedBy(h, l.limits.keepAlive > 0)
}

// askedBy is ask for a server that may keep connections or not.
func askedBy(h *http1.Head, mayKeep bool) asked {
	a := asked{
		head:  string(h.Method) == "HEAD",
		minor: uint8(h.Minor),
		keep:  h.KeepAlive && mayKeep,
	}
	for i := range h.Fields {
		switch f := &h.Fields[i]; len(f.Name) {
		case len("te"):
			if sameName(f.Name, []byte("te")) && takesTrailers(f.Value) {
				a.trailers = true
			}
		case len("accept"):
			if sameName(f.Name, []byte("accept")) && bytes.Contains(f.Value, []byte("json")) {
				a.accept = f.Value
			}
		}
	}
	return a
}

// refuse answers a request that never reaches a worker, and closes: either its
// framing is in doubt, or there is no room for it. data is what came of it.
func (l *loop) refuse(c *conn, why error, data []byte) {
	a := answerTo(why)
	state := asked{minor: 1, head: bytes.HasPrefix(data, []byte("HEAD ")), accept: acceptIn(data)}
	l.gateway.identify(&state)
	l.gateway.note(why, a, c, &state, data)
	c.last, c.request = true, nil
	out := appendOwnResponse(l.out[:0], l.date.at(l.now), a, state)
	l.logRefused(c, a.status, out)
	if c.phase == reading {
		l.enter(c, waiting) // it has a request that is being answered
	}
	l.write(c, out)
}

// fail ends a request that a worker did not answer.
func (l *loop) fail(r *request, why error) {
	if r.lane != nil {
		r.lane.dispatched--
	}
	c, answers, state, trip := r.conn, r.answers, r.asked, r.line.trip
	if c == nil || answers != nil {
		l.requests.drop(r)
		if answers != nil {
			answers <- answer{failed: why, trip: trip}
		}
		return
	}
	l.gateway.identify(&state)
	l.gateway.note(why, answerTo(why), c, &state, nil)
	state.keep = state.keep && l.gateway.mayKeep(c)
	out := appendOwnResponse(l.out[:0], l.date.at(l.now), answerTo(why), state)
	r.line.finish(l, answerTo(why).status, 0, out)
	l.requests.drop(r)
	c.last = !state.keep
	l.write(c, out)
}
