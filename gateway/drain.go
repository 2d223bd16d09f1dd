package gateway

// drain begins the end of a loop: it accepts nothing more, connections without
// a request are closed, the others after their response. One that was taken only
// now may have its first request on the way, so it is given a moment. The loop
// ends with its last connection (housekeep).
func (l *loop) drain() {
	if l.draining {
		return
	}
	l.stopAccepting()
	l.draining = true
	for i := len(l.conns) - 1; i >= 0; i-- {
		c := l.conns[i]
		if c.phase != reading {
			continue
		}
		// A request may have arrived that this round has not come to yet.
		l.read(c)
		switch {
		case c.phase != reading || c.begun:
		case c.fresh:
			c.deadline = l.now + firstRequestTime
		default:
			l.close(c)
		}
	}
}
