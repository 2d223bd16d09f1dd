package master

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// extendEvery and extendBy: systemd's start and stop timeouts are pushed on
	// while there is progress within our own limits, so that they need not be
	// known to each other. It must be said again before extendBy has passed.
	extendEvery = 2 * time.Second
	extendBy    = 10 * time.Second
	// asleep is how much later than due a tick may come before we conclude
	// that this process was stopped, and that nobody is to blame for silence.
	asleep = 2 * time.Second
)

// voice remembers what was said to systemd.
type voice struct {
	status    string    // the last STATUS
	withheld  string    // why the last ping was not sent, or ""
	doubted   time.Time // since when there is such a reason
	triggered bool      // the watchdog was, for it
	mute      bool      // systemd could not be told something; logged once
}

// pulse remembers when things were done that are done now and then.
type pulse struct {
	pinged   time.Time
	extended time.Time
	lastTick time.Time
	awake    time.Time // since when we run without a gap
}

// period is how often the loop turns by itself.
func (m *master) period() time.Duration {
	const usual = 200 * time.Millisecond
	if m.watchdog == 0 {
		return usual
	}
	return min(usual, max(m.watchdog/12, 5*time.Millisecond))
}

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

// ping pets systemd's watchdog three times in its interval, if all is well.
func (m *master) ping(now time.Time) {
	m.trigger(now)
	if m.watchdog == 0 || now.Sub(m.pinged) < m.watchdog/3-m.period()/2 {
		return
	}
	why := m.health(now).verdict()
	if why != m.withheld {
		if m.withheld = why; why != "" {
			m.log.Error("watchdog pings withheld", "reason", why, "limit", m.watchdog)
		} else {
			m.log.Info("watchdog pings resumed")
		}
	}
	if why == "" {
		m.pinged = now
		m.told(m.notifier.Watchdog())
	}
}

// health collects what a ping depends on.
func (m *master) health(now time.Time) health {
	h := health{
		now:     dispatch.Monotonic(),
		stage:   m.stage,
		silence: silenceLimit(m.watchdog),
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
	if m.stage == serving && !m.reload.under() && !m.farewell.begun() || now.Sub(m.extended) < extendEvery || m.health(now).overdue {
		return
	}
	m.extended = now
	m.told(m.notifier.ExtendTimeout(extendBy))
}

// words is the status line now.
func (m *master) words() string {
	g := m.gen
	t := g.count()
	o := outlook{
		stage: m.stage, generation: g.number, wanted: g.wanted,
		starting: t.starting, ready: t.ready, drained: true,
		reload: m.reload.words(), farewell: m.farewell.words(),
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
	case m.withheld != "":
		o.trouble = m.withheld
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
	if words := m.words(); words != m.status {
		m.status = words
		m.reloads.Tell() // how far it is, perhaps
		m.told(m.notifier.Status(words))
	}
}

func (m *master) tellReady() {
	if m.farewell.begun() { // a reload has ended meanwhile; that we leave stays true
		m.speak()
		return
	}
	m.status = m.words()
	m.told(m.notifier.Ready(m.status))
}

func (m *master) tellStopping() {
	m.status = m.words()
	m.told(m.notifier.Stopping(m.status))
}

// tellFailure says why the service ends. The number is what `systemctl status`
// shows as "Error:" beside the words: ENOEXEC for an application that cannot be
// loaded, ECHILD for a worker that did not boot, else what the kernel said.
func (m *master) tellFailure(err error) {
	if m.notifier == nil {
		return
	}
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
	m.status = "failed: " + err.Error()
	m.told(m.notifier.Status(m.status))
	m.told(m.notifier.Errno(int(errno)))
}

// told logs, once, that systemd could not be told something. The service goes
// on: its clients are not served worse for it.
func (m *master) told(err error) {
	if err == nil || m.mute {
		return
	}
	m.mute = true
	m.log.Warn("systemd could not be told", "error", err)
}
