package programs

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/pool"
)

const (
	// sameWish is how soon after the first a second TERM or INT is an echo of it:
	// timeout(1) for one signals its child and then the group that the child is in.
	sameWish = 100 * time.Millisecond
	// stragglers is how long the kernel may take to end what was killed.
	stragglers = 5 * time.Second
)

var (
	errReplaced = errors.New("replaced by a reload")
	errStopping = errors.New("the service is stopping")
	errStopped  = errors.New("the service was told to stop")
)

// signalled obeys a signal.
//
//	TERM, INT    stop, after shutdown_delay: programs are asked to leave; the second time, at once
//	QUIT         stop at once
//	USR1         open the log file anew
//	TTIN, TTOU   one worker more, one less
//	HUP, USR2    reload
//	WINCH        nothing
func (m *master) signalled(sig os.Signal) {
	number, ok := sig.(unix.Signal)
	if !ok { // the channel was closed: no signal will come any more
		m.cfg.Signals = nil
		return
	}
	name := unix.SignalName(number)
	switch number {
	case unix.SIGTERM, unix.SIGINT:
		if m.stage == stopping || m.farewell.Begun() {
			if time.Since(m.asked) >= sameWish {
				m.log.Warn("stopping at once", "signal", name)
				m.stop(name)
				m.quick()
			}
			return
		}
		m.asked = time.Now()
		m.askStop(name)
	case unix.SIGQUIT:
		m.stop(name)
		m.quick()
	case unix.SIGUSR1:
		m.reopen()
	case unix.SIGTTIN:
		m.resize(m.target().wanted+1, name)
	case unix.SIGTTOU:
		m.resize(m.target().wanted-1, name)
	case unix.SIGHUP, unix.SIGUSR2:
		m.askReload(name)
	default:
		m.log.Info("signal without effect", "signal", name)
	}
}

func (m *master) reopen() {
	if m.cfg.Logs != nil {
		if err := m.cfg.Logs.Reopen(); err != nil {
			m.log.Error("error log could not be reopened", "error", err)
		}
	}
	m.log.Info("log files reopened")
}

// target is the generation that a wish for more or fewer programs is about: during a
// reload the next one.
func (m *master) target() *generation {
	if m.reload.next != nil {
		return m.reload.next
	}
	return m.gen
}

// resize changes the number of workers, within 1 and what a pool can have.
func (m *master) resize(n int, from string) {
	if m.stage == stopping {
		return
	}
	g := m.target()
	n = min(max(n, 1), pool.MaxSize)
	if n == g.wanted {
		m.log.Warn("number of workers is at its bound", "signal", from, "limit", n)
		return
	}
	m.log.Info("number of workers changed", "signal", from, "from", g.wanted, "to", n)
	m.chronicle.Note(control.Event{What: "workers scaled", Generation: g.number, Reason: from, Detail: inWords(n)})
	g.wanted = n
	if g == m.gen {
		g.resize(n)
	}
}

// stop begins to stop: our listeners are closed, and every program is asked to leave.
func (m *master) stop(reason string) {
	if m.stage == stopping {
		return
	}
	m.stage = stopping
	limit := m.plan.settings.GracefulTimeout()
	m.log.Info("stopping", "reason", reason, "limit", limit)
	m.tellStopping()
	m.chronicle.Note(control.Event{What: "stopping", Generation: m.gen.number, Reason: reason})
	m.reloads.Dropped(errStopped, m.gen.number, m.reload.began)
	if m.reload.next != nil {
		m.undo()
	}
	m.stopListening()
	m.leaveAll()
	if limit == 0 {
		m.quick()
	}
}

func (m *master) leaveAll() {
	for _, g := range m.generations() {
		g.leave(errStopping)
	}
}

// quick ends everything now.
func (m *master) quick() {
	if !m.deadline.IsZero() {
		return
	}
	m.deadline = time.Now().Add(stragglers)
	m.leaveAll()
	for _, g := range m.generations() {
		g.pool.Kill()
	}
}

// fail ends the service because of err, which Run will return.
func (m *master) fail(err error) {
	if m.stage == stopping {
		return
	}
	m.stage, m.outcome = stopping, err
	m.tellFailure(err)
	m.stopListening()
	m.quick()
}

// judgeStop gives up on what cannot be reaped, in the way of a process that sleeps in
// the kernel: systemd has the last word about it.
func (m *master) judgeStop(now time.Time) {
	if m.deadline.IsZero() || now.Before(m.deadline) {
		return
	}
	for _, g := range m.generations() {
		if !g.gone() {
			m.log.Error("programs cannot be ended", "gen", g.number, "number", g.count().occupied)
		}
		g.ended = true
		clear(g.workers)
	}
}
