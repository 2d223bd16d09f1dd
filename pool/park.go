package pool

// Park makes the pool order no worker any more, whoever ends, until [Pool.Unpark]: it
// is kept for later. What its workers have begun goes on, with its limits.
//
// With still, a worker that is idle has no limits either and is not asked to leave: it
// may have been frozen. Park may be called again to change that.
func (p *Pool) Park(still bool) { p.mail.Post(parkAll{parked: true, still: still}) }

// Unpark ends what Park began: workers that are missing are ordered, and every limit
// counts from now on.
func (p *Pool) Unpark() { p.mail.Post(parkAll{}) }

// rests reports that nothing is decided about s, because its worker may be frozen. One
// that is told to stop with all others is not left out.
func (r rules) rests(s *slot) bool { return r.still && r.serving && s.phase == Idle }
