package master

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// periodic is how often the loop turns by itself.
	periodic = 200 * time.Millisecond
	// asleep is how much later than due a tick may come before we conclude
	// that this process was stopped, and that nobody is to blame for silence.
	asleep = 2 * time.Second
)

// pulse remembers when the loop turned.
type pulse struct {
	lastTick time.Time
	awake    time.Time // since when we run without a gap
}

// period is how often the loop turns by itself.
func (m *master) period() time.Duration { return m.voice.Period(periodic) }

// notice finds out whether this process was stopped for a while. If so, the
// deadlines that the master keeps for others start afresh.
func (m *master) notice(now time.Time) {
	if !m.lastTick.IsZero() && now.Sub(m.lastTick) > m.period()+asleep {
		m.log.Warn("master was stopped", "after", now.Sub(m.lastTick).Round(time.Millisecond))
		m.reload.limit = m.reload.limit.Add(now.Sub(m.lastTick))
		m.awake = now
	}
	m.lastTick = now
}

// ping pets systemd's watchdog, if all is well.
func (m *master) ping(now time.Time) {
	m.trigger(now)
	m.voice.Ping(now, m.period(), func() string { return m.health(now).verdict() })
}

// health collects what a ping depends on.
func (m *master) health(now time.Time) health {
	h := health{
		now:     dispatch.Monotonic(),
		stage:   m.stage,
		silence: silenceLimit(m.voice.Watchdog()),
		loops:   m.gen.gate.beats(),

		unanswered: m.gen.gate.probe.unanswered(now, m.awake),
		still:      m.still, stillLimit: m.standstillLimit(),
	}
	switch m.stage {
	case booting:
		h.overdue = now.After(m.began.Add(m.gen.patience()))
	case stopping:
		h.overdue = now.After(m.deadline.Add(stragglers))
	case serving:
		for _, w := range m.gen.workers {
			h.workers = append(h.workers, m.labour(w))
		}
	}
	return h
}

// labour reads what a worker is doing.
func (m *master) labour(w *worker) labour {
	l := labour{ready: w.phase == pool.Idle || w.phase == pool.Busy, limit: w.gen.plan.settings.Timeout()}
	switch a := w.gen.activity(w.slot); {
	case a.Concurrent:
		l.since = int64(a.Beat) // it beats, or cannot take work
	case a.Busy:
		l.since = int64(a.Since)
	}
	return l
}

// extend keeps systemd from giving up on a service that is on its way up or
// down and within its limits. At the end the extension is withheld, and
// systemd's own timeout ends what we could not.
func (m *master) extend(now time.Time) {
	if m.stage == serving && !m.reload.under() && !m.farewell.Begun() || m.health(now).overdue {
		return
	}
	m.voice.Extend(now)
}

// words is the status line now.
func (m *master) words() string {
	g := m.gen
	t := g.count()
	o := outlook{
		stage: m.stage, generation: g.number, wanted: g.wanted,
		starting: t.starting, ready: t.ready, drained: true,
		reload: m.reload.words(), farewell: m.farewell.Words(),
		parting: m.parting,
	}
	for _, gt := range m.gates() {
		o.drained = o.drained && gt.drained
	}
	for _, g := range m.generations() {
		o.occupied += g.count().occupied
	}
	if m.outcome != nil {
		o.failure = m.outcome.Error()
	}
	switch {
	case m.voice.Withheld() != "":
		o.trouble = m.voice.Withheld()
	case m.stage == stopping:
	case g.gate.child == nil:
		o.trouble = "the gateway is being restarted"
	case g.mold.child == nil:
		o.trouble = "the mold is being restarted"
	}
	return o.words()
}

// speak sends the status line if it changed.
func (m *master) speak() {
	if m.voice.Say(m.words()) {
		m.reloads.Tell() // how far it is, perhaps
	}
}

func (m *master) tellReady() {
	if m.farewell.Begun() { // a reload has ended meanwhile; that we leave stays true
		m.speak()
		return
	}
	m.voice.Ready(m.words())
}

// tellFailure says why the service ends: ENOEXEC for an application that cannot be
// loaded, ECHILD for a worker that did not boot, else what the kernel said.
func (m *master) tellFailure(err error) {
	var errno unix.Errno
	switch {
	case errors.Is(err, ErrLoad):
		errno = unix.ENOEXEC
	case errors.Is(err, ErrBoot):
		errno = unix.ECHILD
	case errors.As(err, &errno):
	default:
		errno = unix.EINVAL
	}
	m.voice.Failed(err, errno)
}
