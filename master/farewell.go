package master

import "time"

// askStop stops the service, after shutdown_delay if it serves.
func (m *master) askStop(reason string) {
	delay := m.plan.settings.ShutdownDelay()
	if m.stage != serving || delay == 0 {
		m.stop(reason)
		return
	}
	if m.farewell.Begun() {
		return
	}
	m.farewell.Begin(time.Now(), delay, reason)
	m.log.Info("not ready any more", "reason", reason, "delay", delay)
	m.voice.Stopping(m.words())
}

// judgeFarewell begins the stop when its time has come.
func (m *master) judgeFarewell(now time.Time) {
	if m.stage == serving && m.farewell.Due(now) {
		m.stop(m.farewell.Reason())
	}
}

// ready reports whether a load balancer should send clients here: the service
// answers requests, and nobody has asked it to stop.
func (m *master) ready() bool {
	return m.stage == serving && !m.farewell.Begun() && m.gen.gate.serving && m.gen.count().ready > 0
}
