package master

import (
	"github.com/indrik/indrik/gateway"
)

// tellLevels has each gateway log what the master logs. It follows from the master's level,
// however that came to change: somebody asked for it, for a time or for good, the time is
// over, a reload brought the configured one back, the gateway is a new process.
func (m *master) tellLevels() {
	level := m.cfg.Log.GetLevel()
	for _, gt := range m.gates() {
		if gt.level == level || gt.child == nil || gt.strange {
			continue
		}
		gt.level = level
		m.order(gt, gateway.LevelOrder(level))
	}
}
