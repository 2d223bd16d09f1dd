package programs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/pool"
)

const (
	// extendEvery and extendBy: systemd's start and stop timeouts are pushed on while
	// there is progress within our own limits, so that they need not be known to each
	// other.
	extendEvery = 2 * time.Second
	extendBy    = 10 * time.Second
	// speakEvery is how often the status line may change for what programs say.
	speakEvery = time.Second
	// statusLimit bounds the part of one program in it, in bytes.
	statusLimit = 120
	// statusPrograms is how many of them have one.
	statusPrograms = 8
)

// voice remembers what was said to systemd.
type voice struct {
	status   string    // the last STATUS
	spoke    time.Time // when
	withheld string    // why the last ping was not sent, or ""
	mute     bool      // systemd could not be told something; logged once
	pinged   time.Time
	extended time.Time
}

// ping pets systemd's watchdog three times in its interval, while a program is
// healthy: ready, and not silent for longer than it may.
func (m *master) ping(now time.Time) {
	if m.watchdog == 0 || now.Sub(m.pinged) < m.watchdog/3-m.period()/2 {
		return
	}
	why := m.illness()
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

// extend keeps systemd from giving up on a service that is on its way up or down and
// within its limits.
func (m *master) extend(now time.Time) {
	under := m.reload.next != nil || m.stage != serving || m.farewell.begun()
	if !under || now.Sub(m.extended) < extendEvery || !m.deadline.IsZero() {
		return
	}
	m.extended = now
	m.told(m.notifier.ExtendTimeout(extendBy))
}

// words is the status line now.
func (m *master) words() string {
	g := m.gen
	if m.outcome != nil {
		return "failed: " + m.outcome.Error()
	}
	t := g.count()
	var s string
	switch {
	case m.stage == booting:
		s = fmt.Sprintf("booting %d of %s", t.starting+t.ready, inWords(g.wanted))
	case m.stage == stopping:
		occupied := 0
		for _, g := range m.generations() {
			occupied += g.count().occupied
		}
		return fmt.Sprintf("draining: waiting for %s to leave", inWords(occupied))
	case t.ready >= g.wanted:
		s = fmt.Sprintf("serving: %s, generation %d", inWords(t.ready), g.number)
	default:
		s = fmt.Sprintf("serving: %d of %s, generation %d", t.ready, inWords(g.wanted), g.number)
	}
	switch {
	case m.reload.next != nil:
		s += "; reload: " + m.progress()
	case m.reload.why != nil:
		s += "; reload failed: " + m.reload.why.Error()
	}
	if m.withheld != "" {
		s += "; " + m.withheld
	}
	s += m.farewell.words()
	return s + g.statuses()
}

// progress is how far the reload is that runs; "" if none does.
func (m *master) progress() string {
	next := m.reload.next
	if next == nil {
		return ""
	}
	return fmt.Sprintf("%d of %s of generation %d ready", next.count().ready, inWords(next.wanted), next.number)
}

// statuses is what the programs say of themselves.
func (g *generation) statuses() string {
	var parts []string
	for slot := range pool.SlotID(g.size + 1) { // one more while an old one is replaced
		if w := g.workers[slot]; w != nil && w.status != "" && len(parts) < statusPrograms {
			parts = append(parts, fmt.Sprintf("%d: %s", slot, w.status))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, ", ")
}

func inWords(workers int) string {
	if workers == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", workers)
}

// speak sends the status line if it changed. What the programs say may change it
// many times a second.
func (m *master) speak() {
	if time.Since(m.spoke) < speakEvery && m.stage == serving {
		return
	}
	if words := m.words(); words != m.status {
		m.status, m.spoke = words, time.Now()
		m.reloads.Tell() // how far it is, perhaps
		m.told(m.notifier.Status(words))
	}
}

func (m *master) tellReady() {
	if m.farewell.begun() { // a reload has ended meanwhile; that we leave stays true
		m.speak()
		return
	}
	m.status, m.spoke = m.words(), time.Now()
	m.told(m.notifier.Ready(m.status))
}

func (m *master) tellStopping() {
	m.status, m.spoke = m.words(), time.Now()
	m.told(m.notifier.Stopping(m.status))
}

// tellFailure says why the service ends. The number is what `systemctl status` shows
// as "Error:" beside the words.
func (m *master) tellFailure(err error) {
	if m.notifier == nil {
		return
	}
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
	case errors.Is(err, ErrStart):
		errno = unix.ENOEXEC
	case errors.Is(err, ErrBoot):
		errno = unix.ECHILD
	default:
		errno = unix.EINVAL
	}
	m.status = "failed: " + err.Error()
	m.told(m.notifier.Status(m.status))
	m.told(m.notifier.Errno(int(errno)))
}

// told logs, once, that systemd could not be told something. The service goes on: its
// clients are not served worse for it.
func (m *master) told(err error) {
	if err == nil || m.mute {
		return
	}
	m.mute = true
	m.log.Warn("systemd could not be told", "error", err)
}
