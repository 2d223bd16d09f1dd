package gateway

// drain begins the end of a loop: it accepts nothing more, connections without
// a request are closed, the others after their response. One that was taken only
// now may have its first request on the way, so it is given a moment; if another
// gateway goes on with the service, all are, until parting (CLOCK_MONOTONIC ns). The
// loop ends with its last connection (housekeep).
func (l *loop) drain(parting int64) {
	if l.draining {
		return
	}
	l.stopAccepting()
	l.draining, l.parting = true, parting
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
		case l.now < parting:
			c.deadline = min(c.deadline, parting)
		default:
			l.close(c)
		}
	}
}
