package master

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
)

// idleness is what idle_exit goes by.
type idleness struct {
	since    time.Time // nobody was here from then on; zero: somebody is, or nobody has looked
	accepted uint64    // connections by then, to notice those that came and went between two looks
}

// look hears what the gateway tells, and returns for how long nobody has been here.
func (i *idleness) look(t traffic, now time.Time) time.Duration {
	if t.connections > 0 || t.inHand > 0 || t.accepted != i.accepted || i.since.IsZero() {
		*i = idleness{since: now, accepted: t.accepted}
	}
	return now.Sub(i.since)
}

// judgeIdle ends a service that nobody has used for the time of idle_exit. systemd
// keeps the sockets, and starts the service again with the next connection. A
// connection that comes while we leave waits in the socket for that start, unless
// the gateway has it already: then it is served first.
//
// Whoever is in the accept queue at the last moment is waited for, and the time
// begins anew: leaving would only make that client wait for a start.
func (m *master) judgeIdle(now time.Time) {
	limit := m.plan.settings.IdleExit()
	gt := m.gen.gate
	if limit == 0 || m.stage != serving || m.farewell.Begun() || m.reload.step != calm || gt.child == nil || !gt.serving {
		m.idleness = idleness{}
		return
	}
	if m.idleness.look(gt.traffic(), now) < limit {
		return
	}
	if m.knocking() {
		m.idleness = idleness{}
		return
	}
	m.parting = fmt.Sprintf("idle for %v; the next connection starts the service again", limit)
	m.stop(m.parting)
}

// knocking reports that a client waits in an accept queue.
func (m *master) knocking() bool {
	fds := make([]unix.PollFd, 0, len(m.sockets))
	for _, s := range m.sockets {
		fds = append(fds, unix.PollFd{Fd: int32(s.FD), Events: unix.POLLIN})
	}
	n, err := unix.Poll(fds, 0)
	return n > 0 || errors.Is(err, unix.EINTR) // at the next look it is known
}

// checkIdleExit refuses idle_exit where nobody would start the service again.
func checkIdleExit(limit time.Duration, sockets []activation.Socket) error {
	if limit == 0 {
		return nil
	}
	for _, s := range sockets {
		if s.Owned {
			return fmt.Errorf("idle_exit needs all listeners to be sockets of systemd, which stay open and start the service again; "+
				"%s is bound by Indrik: let a socket unit listen there, or leave idle_exit out", s.Address)
		}
	}
	return nil
}
