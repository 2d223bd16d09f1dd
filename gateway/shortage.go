package gateway

// What happens to requests that need a descriptor when none is left. The cap on
// connections leaves an eighth of the open files to them (withRoom), so an
// attacker with many slow bodies can use those up; requests of the express path
// need none and are served on.

// lendRequest lends the connection for the request at the start of data, or
// refuses that if it cannot be lent.
func (l *loop) lendRequest(c *conn, data []byte) {
	if err := l.lend(c, data, (*exchange).serveRequest); err != nil {
		l.refuse(c, err, data)
	}
}

// decline answers the client of a request for the gateway itself, although a
// worker has it. An application that can hear it is told that nobody waits.
func (l *loop) decline(r *request, why error) {
	c, state, a := r.conn, r.asked, answerTo(why)
	l.tellLeft(r)
	r.conn, c.request = nil, nil
	l.gateway.identify(&state)
	l.gateway.note(why, a, c, &state, nil)
	state.keep = state.keep && l.gateway.mayKeep(c)
	c.last = !state.keep
	out := appendOwnResponse(l.out[:0], l.date.at(l.now), a, state)
	r.line.finish(l, a.status, 0, out)
	r.line = r.line.recycle() // it is told
	l.write(c, out)
}

// tellShortage says that descriptors are short, but not for each request.
func (l *loop) tellShortage(why error) {
	if l.now >= l.shortageTold {
		l.shortageTold = l.now + pauseQuiet
		l.log.Warn("requests that need a descriptor were refused", "error", why, "connections", l.gateway.connections.Load())
	}
}
