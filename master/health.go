package master

import (
	"time"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
)

// probePeriod is how often the gateway is asked for a sign of life by the way that
// orders take.
const probePeriod = 2 * time.Second

// probe is the last one to a gateway. The zero value is that none was sent.
type probe struct {
	number   int
	sent     time.Time
	answered bool
}

// unanswered is for how long the gateway has owed an answer; 0 if it owes none. The
// time in which this process was stopped does not count.
func (p *probe) unanswered(now, awake time.Time) time.Duration {
	if p.sent.IsZero() || p.answered {
		return 0
	}
	return now.Sub(later(p.sent, awake))
}

// probeGateway asks the gateway that serves, unless it still owes an answer.
func (m *master) probeGateway(now time.Time) {
	gt := m.gen.gate
	p := &gt.probe
	if m.stage != serving || gt.child == nil || !gt.serving || now.Sub(p.sent) < probePeriod || !p.sent.IsZero() && !p.answered {
		return
	}
	m.probe(gt, now)
}

// probe asks a gateway for a sign of life; what it may owe from before counts no more.
func (m *master) probe(gt *gate, now time.Time) {
	gt.probe = probe{number: gt.probe.number + 1, sent: now}
	m.order(gt, gateway.ProbeOrder(gt.probe.number))
}

// probed hears the answer.
func (gt *gate) probed(number int) {
	if number == gt.probe.number {
		gt.probe.answered = true
	}
}

// standstill is what the master has seen of a service that answers nothing though
// it could. The zero value is a service that is well.
type standstill struct {
	since    time.Time // zero: not now
	answered uint64    // by workers, when it was looked at last
}

// look returns for how long requests have been waiting and not one was answered
// while a worker was free to take one. A service without requests does not stand
// still, nor does one whose workers all are at work on requests, however long these
// take: how long they may is the business of timeout.
func (s *standstill) look(t traffic, free bool, now, awake time.Time) time.Duration {
	if t.waited == 0 || !free || t.answered != s.answered {
		*s = standstill{answered: t.answered}
		return 0
	}
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(later(s.since, awake))
}

// standstillLimit is how long a service may stand still before systemd's watchdog is
// no longer pinged: the pool ends silent workers after timeout, and must have had the
// time to. 0 is no limit, for who has set none for workers either.
func (m *master) standstillLimit() time.Duration {
	timeout := m.gen.plan.settings.Timeout()
	if timeout == 0 {
		return 0
	}
	return max(2*timeout, m.voice.Watchdog())
}

// free reports that a worker of the generation says it is ready, and has a seat
// that holds no request.
func (g *generation) free(t traffic) bool {
	c := g.course.Load()
	if c == nil {
		return false
	}
	seats := 0
	for _, w := range g.workers {
		if w.phase != pool.Idle && w.phase != pool.Busy {
			continue
		}
		seats += c.seats
		if !c.own && len(g.held(w.slot)) < c.seats {
			return true
		}
	}
	return c.own && t.inHand < uint64(seats) // what they hold only the gateway knows
}

// watchFlow looks whether the service stands still.
func (m *master) watchFlow(now time.Time) {
	m.still = 0
	if m.stage != serving || m.gen.gate.child == nil {
		m.standstill = standstill{}
		return
	}
	t := m.gen.gate.traffic()
	m.still = m.standstill.look(t, m.gen.free(t), now, m.awake)
}

// alarm is how far the master is from asking for the watchdog's remedy.
type alarm struct {
	doubted   time.Time // since when there is a reason
	triggered bool      // it was asked for
}

// trigger asks systemd for the watchdog's remedy, once its reason has stood for half
// of the interval: pings would not have come in the rest of it either, and so the
// reason is in systemd's own log.
func (m *master) trigger(now time.Time) {
	reason := m.voice.Withheld()
	if reason == "" {
		m.alarm = alarm{}
		return
	}
	if m.alarm.doubted.IsZero() {
		m.alarm.doubted = now
	}
	if m.alarm.triggered || now.Sub(later(m.alarm.doubted, m.awake)) < m.voice.Watchdog()/2 {
		return
	}
	m.alarm.triggered = true
	m.speak() // before it: systemd quotes the last status
	m.log.Error("watchdog triggered", "reason", reason)
	m.voice.Trigger()
}
