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
	// speakEvery is how often the status line may change for what programs say.
	speakEvery = time.Second
	// statusLimit bounds the part of one program in it, in bytes.
	statusLimit = 120
	// statusPrograms is how many of them have one.
	statusPrograms = 8
)

// ping pets systemd's watchdog while a program is healthy: ready, and not silent for
// longer than it may.
func (m *master) ping(now time.Time) { m.voice.Ping(now, m.period(), m.illness) }

// extend keeps systemd from giving up on a service that is on its way up or down and
// within its limits.
func (m *master) extend(now time.Time) {
	if m.reload.next == nil && m.stage == serving && !m.farewell.Begun() || !m.deadline.IsZero() {
		return
	}
	m.voice.Extend(now)
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
	if why := m.voice.Withheld(); why != "" {
		s += "; " + why
	}
	if m.farewell.Begun() {
		s += "; " + m.farewell.Words()
	}
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
	if m.voice.Say(m.words()) {
		m.spoke = time.Now()
		m.reloads.Tell() // how far it is, perhaps
	}
}

func (m *master) tellReady() {
	if m.farewell.Begun() { // a reload has ended meanwhile; that we leave stays true
		m.speak()
		return
	}
	m.spoke = time.Now()
	m.voice.Ready(m.words())
}

func (m *master) tellStopping() {
	m.spoke = time.Now()
	m.voice.Stopping(m.words())
}

// tellFailure says why the service ends: what the kernel said, ENOEXEC for a program
// that cannot be executed, ECHILD for one that did not become ready.
func (m *master) tellFailure(err error) {
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
	m.voice.Failed(err, errno)
}
