package master

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/control"
)

// sameWish is how soon after the first a second TERM or INT is an echo of it:
// timeout(1) for one signals its child and then the group that the child is in.
const sameWish = 100 * time.Millisecond

// signalled obeys a signal.
//
//	TERM, INT    stop, after shutdown_delay: finish the requests in hand; the second time, at once
//	QUIT         stop at once
//	USR1         open log files anew
//	TTIN, TTOU   one worker more, one less
//	HUP          reload, with the binary that is on disk now if that has changed
//	USR2         reload, and execute the binary whether it has changed or not
//	WINCH        nothing: for Gunicorn it is a step of an upgrade that is not needed
//
// INT stops gently, as a person at a terminal expects of Ctrl-C; Gunicorn
// stops at once.
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
			if time.Since(m.asked) < sameWish {
				return
			}
			m.log.Warn("stopping at once", "signal", name)
			m.stop(name)
			m.quick()
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
		m.resize(m.gen.wanted+1, name)
	case unix.SIGTTOU:
		m.resize(m.gen.wanted-1, name)
	case unix.SIGHUP:
		m.askReload(name)
	case unix.SIGUSR2:
		m.reload.exchange = true
		m.askReload(name)
	case unix.SIGWINCH:
		m.log.Info("signal without effect", "signal", name)
	default:
		m.log.Warn("signal not supported in this version", "signal", name)
	}
}

// resize changes the number of workers, within 1 and what the scoreboard has
// room for, or within the bounds of scaling.
func (m *master) resize(n int, signal string) {
	if m.stage == stopping {
		return
	}
	g := m.gen
	n = g.limits().clamp(n)
	if n == g.wanted {
		m.log.Warn("number of workers is at its bound", "signal", signal, "limit", n)
		return
	}
	m.log.Info("number of workers changed", "signal", signal, "from", g.wanted, "to", n)
	m.setWorkers(g, n)
	m.chronicle.Note(control.Event{What: "workers scaled", Generation: g.number, Reason: signal, Detail: count(n)})
}
