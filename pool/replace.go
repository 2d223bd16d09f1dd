package pool

import (
	"math/rand/v2"
	"slices"
	"time"
)

// exchange is the replacement of one worker by a successor in another slot, and
// those that wait for their turn. It belongs to the owner's goroutine.
//
//	queued ──spare slot──▶ successor on its way ──ready──▶ old one drains ──reaped──▶ next
//
// While old is set and not handed over, both slots are wanted; that is the one
// worker more than Size.
type exchange struct {
	old, next *slot // nil: nobody is being replaced
	pid       int   // of the worker in old
	why       string
	handed    bool // next is ready, and old was told to leave
	queue     []replaceSlot
}

// serves reports whether the slot holds a worker that takes requests.
func (s *slot) serves() bool { return s.phase == Idle || s.phase == Busy }

// queueUp notes that a worker is to be replaced, once.
func (p *Pool) queueUp(r replaceSlot) {
	if s := p.slot(r.slot); s == nil || s.pid != r.pid || !s.serves() || s.unwanted || s.surplus {
		p.log.Debug("replacement not needed", "slot", int(r.slot), "pid", r.pid)
		return
	}
	if p.replacing(r.pid) {
		return
	}
	p.exchange.queue = append(p.exchange.queue, r)
}

// replacing reports whether process pid is being replaced, or waits for it.
func (p *Pool) replacing(pid int) bool {
	if p.exchange.old != nil && p.exchange.pid == pid {
		return true
	}
	return slices.ContainsFunc(p.exchange.queue, func(r replaceSlot) bool { return r.pid == pid })
}

// replaceAged queues the workers that have been ready for longer than Limits.Age.
func (p *Pool) replaceAged(now time.Duration) {
	if p.rules.limits.Age == 0 {
		return
	}
	for _, s := range p.slots {
		if s.oldAt != 0 && now >= s.oldAt && s.serves() && !s.replaced {
			s.replaced = true // said once
			p.queueUp(replaceSlot{s.id, s.pid, "max_worker_age"})
		}
	}
}

// oldAt is when a worker that became ready at now is to be replaced; 0 if never.
// Workers that were started together must not all go together.
func (l Limits) oldAt(now time.Duration) time.Duration {
	if l.Age == 0 {
		return 0
	}
	at := now + l.Age
	if l.AgeJitter > 0 {
		at += rand.N(l.AgeJitter)
	}
	return at
}

// succeed takes the exchange as far as it can go now. It runs before anything is
// decided about slots, so a worker that ended while it was being replaced is not
// started again in its own slot.
func (p *Pool) succeed() {
	x := &p.exchange
	if !p.rules.serving {
		*x = exchange{}
		return
	}
	for {
		if x.old != nil {
			x.handOver()
			if !x.handed || x.old.pid == x.pid && x.old.phase != Vacant {
				return
			}
			*x = exchange{queue: x.queue}
		}
		if len(x.queue) == 0 {
			return
		}
		r := x.queue[0]
		x.queue = x.queue[1:]
		p.beginExchange(r)
	}
}

// handOver makes the successor's slot the wanted one, once the successor serves or
// the worker that it is to replace is gone.
func (x *exchange) handOver() {
	there := x.old.pid == x.pid && x.old.phase != Vacant
	if x.handed || there && !x.next.serves() {
		return
	}
	x.handed, x.old.surplus = true, true
	if there {
		x.old.why = x.why
	}
}

// beginExchange finds a slot for the successor. If there is none, the worker
// leaves first.
func (p *Pool) beginExchange(r replaceSlot) {
	s := p.slot(r.slot)
	if s.pid != r.pid || !s.serves() || s.surplus {
		return // it has gone, or goes, for another reason
	}
	next := p.spare()
	if next == nil {
		s.unwanted, s.why = true, r.why
		s.log.Debug("no slot for a successor", "pid", s.pid, "limit", p.cfg.Slots)
		return
	}
	next.surplus = false
	p.exchange.old, p.exchange.next = s, next
	p.exchange.pid, p.exchange.why = r.pid, r.why
	s.log.Debug("worker is replaced", "pid", s.pid, "successor", int(next.id), "reason", r.why)
}

// spare is the lowest slot that holds no worker and shall hold none; a new one if
// there may be more; nil if not.
func (p *Pool) spare() *slot {
	for _, s := range p.slots {
		if s.surplus && s.phase == Vacant && !s.ordered {
			return s
		}
	}
	return p.addSlot()
}

// addSlot is newSlot where there may be another; else nil.
func (p *Pool) addSlot() *slot {
	if p.cfg.Slots != 0 && len(p.slots) >= p.cfg.Slots {
		return nil
	}
	return p.newSlot()
}

// resize makes n slots wanted beside that of a successor on its way: the lowest
// that can be had, and if there are too many, the highest go. Where no slot is left, a
// replacement under way becomes an addition.
func (p *Pool) resize(n int) {
	p.size = n
	have := 0
	for _, s := range p.slots {
		if !s.surplus && !p.coming(s) {
			have++
		}
	}
	for ; have < n; have++ {
		s := p.surplus()
		if s == nil {
			s = p.addSlot()
		}
		switch {
		case s != nil:
			s.surplus = false
		case p.exchange.old != nil && !p.exchange.handed:
			p.exchange = exchange{queue: p.exchange.queue} // the successor is one of those wanted
		default:
			p.size = have
			return
		}
	}
	for i := len(p.slots) - 1; have > n; i-- {
		s := p.slots[i]
		if s.surplus || p.coming(s) {
			continue
		}
		if s == p.exchange.old { // its successor is not wanted either
			p.exchange.next.surplus = true
			p.exchange = exchange{queue: p.exchange.queue}
		}
		s.surplus = true
		have--
	}
}

// surplus is the lowest slot that is to hold no worker, though one may still be on its
// way out of it; nil if there is none.
func (p *Pool) surplus() *slot {
	for _, s := range p.slots {
		if s.surplus {
			return s
		}
	}
	return nil
}

// coming reports whether s is that of a successor that has not taken over.
func (p *Pool) coming(s *slot) bool {
	return p.exchange.next != nil && s == p.exchange.next && !p.exchange.handed
}
