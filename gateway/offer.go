package gateway

// What a loop does with connections that are passed to another gateway; see
// handover.go.

// offer takes connections out of the loop that a successor may have: first those
// whose requests wait for a worker, in their order, then those that have become
// idle since the drain began, then the others. It is never asked for more than one
// message holds, so that a loop with many goes on serving meanwhile.
func (l *loop) offer() (all []*parcel) {
	if !l.draining || !l.passing() {
		return nil
	}
	room := parcelRoom
	put := func(p *parcel) bool {
		if len(all) == parcels || p.wrapped() > room {
			return false
		}
		room -= p.wrapped()
		all = append(all, p)
		return true
	}
	l.offerQueued(put)
	for len(l.outgoing) > 0 && put(l.outgoing[0]) {
		l.outgoing = l.outgoing[1:]
	}
	if len(l.outgoing) > 0 {
		return all
	}
	l.outgoing = nil
	// Those that are not asked for yet are the first unasked in conns: whoever
	// leaves has his place taken by the last.
	for l.unasked = min(l.unasked, len(l.conns)); l.unasked > 0; l.unasked-- {
		c := l.conns[l.unasked-1]
		if c.phase != reading || c.stays {
			continue
		}
		p := l.wrap(c)
		if p.wrapped() > parcelRoom {
			continue // it will be asked again when it has been answered
		}
		if !put(p) {
			break
		}
		l.unhand(c)
	}
	return all
}

func (l *loop) passing() bool {
	h := l.gateway.successor.Load()
	return h != nil && h.going()
}

// offerQueued puts what waits for a worker and belongs to a connection of the loop
// itself. The rest stays, in its order.
func (l *loop) offerQueued(put func(*parcel) bool) {
	q := &l.queue
	kept, full := q.items[q.first:q.first], false
	for _, r := range q.items[q.first:] {
		c := r.conn
		if full || c == nil || c.stays || c.held || c.phase != waiting {
			kept = append(kept, r)
			continue
		}
		p := l.wrap(c)
		p.request, p.tongue = r, l.gateway.config.tongue()
		switch {
		case p.wrapped() > parcelRoom:
			kept = append(kept, r)
		case put(p):
			l.unhand(c)
		default:
			kept, full = append(kept, r), true
		}
	}
	clear(q.items[q.first+len(kept):])
	q.items = q.items[:q.first+len(kept)]
}

// wrap describes a connection.
func (l *loop) wrap(c *conn) *parcel {
	p := &parcel{
		conn: c, listener: c.listener.name, address: c.listener.address, mode: c.listener.mode(),
		since: l.now, fresh: c.fresh, begun: c.begun, pending: c.pending, header: c.unannounced, about: c.about,
	}
	if c.phase != reading || c.deadline == 0 {
		return p
	}
	if c.begun || c.fresh {
		p.since = min(l.now, c.deadline-l.limits.patience)
	} else {
		p.since = min(l.now, c.deadline-l.limits.keepAlive)
	}
	return p
}

// unhand stops watching a connection: not one byte is read of it from here on. It
// must leave the epoll set by name, since closing our descriptor will not do that
// while another process has the socket.
func (l *loop) unhand(c *conn) {
	l.unwatch(c.fd)
	l.enter(c, handed)
	c.partial, c.need = nil, 0
}

// handOn keeps a connection for the successor, whose response was just written, or
// that was accepted just now. It reports false if it must go on here.
func (l *loop) handOn(c *conn) bool {
	if !l.draining || !l.gateway.passes(c) {
		return false
	}
	p := l.wrap(c)
	p.since, p.begun, p.fresh = l.now, false, c.phase == reading
	if p.wrapped() > parcelRoom {
		return false
	}
	l.unhand(c)
	l.outgoing = append(l.outgoing, p)
	signal(l.gateway.successor.Load().more)
	return true
}

// settleParcels hears which connections the successor took; nil: none. The others
// go on here.
func (l *loop) settleParcels(all []*parcel, took []bool) {
	for i, p := range all {
		if i >= len(took) || !took[i] {
			l.stay(p)
			continue
		}
		if p.request != nil {
			l.requests.drop(p.request)
		}
		p.conn.request = nil
		l.close(p.conn) // our copy
	}
}

// keepParcels makes everything stay that was not sent, because there is no successor
// any more.
func (l *loop) keepParcels() {
	all := l.outgoing
	l.outgoing = nil
	for _, p := range all {
		l.stay(p)
	}
	l.part()
}

// stay goes on with a connection that the successor did not take. One with a request
// may have been refused for that alone, which another version would have written
// otherwise: it is answered here, and the connection offered again.
func (l *loop) stay(p *parcel) {
	c := p.conn
	if p.request != nil {
		c.held = true
		l.enter(c, waiting)
		l.requests.renew(p.request) // ids of a lane grow (takenUpTo)
		l.queue.push(p.request)
	} else {
		c.stays = true
		l.enter(c, reading)
		c.fresh = p.fresh
	}
	if err := l.watchConn(c); err != nil {
		l.log.Error("connection could not be watched", "error", err)
		l.abandon(c)
		return
	}
	c.readable = true // nobody has looked meanwhile
	if c.phase == reading && len(c.pending) > 0 {
		l.advance(c, c.pending)
	}
	if c.phase == reading {
		l.read(c)
	}
}
