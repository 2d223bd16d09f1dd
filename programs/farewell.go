package programs

import (
	"fmt"
	"time"
)

// farewell is the time between the order to stop and the stop, if shutdown_delay asks
// for one: programs accept and answer as before, and whoever sends clients here may notice
// that systemd and the status say otherwise. The zero value is that of a service that nobody has
// asked to stop.
type farewell struct {
	until  time.Time // when to stop
	delay  time.Duration
	reason string
}

func (f *farewell) begun() bool { return !f.until.IsZero() }

// words is what the status line says of it.
func (f *farewell) words() string {
	if !f.begun() {
		return ""
	}
	return fmt.Sprintf("; stops %v after %s", f.delay, f.reason)
}

// askStop stops the service, after shutdown_delay if it serves.
func (m *master) askStop(reason string) {
	delay := m.plan.settings.ShutdownDelay()
	if m.stage != serving || delay == 0 {
		m.stop(reason)
		return
	}
	if m.farewell.begun() {
		return
	}
	m.farewell = farewell{until: time.Now().Add(delay), delay: delay, reason: reason}
	m.log.Info("not ready any more", "reason", reason, "delay", delay)
	m.tellStopping()
}

// judgeFarewell begins the stop when its time has come.
func (m *master) judgeFarewell(now time.Time) {
	if m.farewell.begun() && m.stage == serving && !now.Before(m.farewell.until) {
		m.stop(m.farewell.reason)
	}
}
