package master

import (
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
)

// asideLimit is how long the end of a reload is not reported because the gateway
// before has not confirmed that it accepts no more. One that does not obey by then is
// stopped or stuck.
const asideLimit = 5 * time.Second

// handOver lets a new gateway, which accepts already, take the connections of the
// one before over, which drains. The two have a channel for that, of which we keep
// no end: if one dies, the other hears of it.
func (m *master) handOver(from, to *gate, patience time.Duration, now time.Time) {
	idle := patience / 2     // for connections that cannot move
	defer m.probe(from, now) // answered when it accepts no more: orders are obeyed in turn
	receives, passes, err := dispatch.SocketPair()
	if err != nil {
		m.log.Warn("connections are not handed over", "error", err)
		m.order(from, gateway.DrainOrder(idle))
		return
	}
	defer closeAll([]int{receives, passes}) // the messages carry their own references
	m.order(to, gateway.ReceiveOrder(), receives)
	m.order(from, gateway.HandOverOrder(idle, patience), passes)
}

// aside reports that a gateway that was told to drain accepts no more.
func (gt *gate) aside() bool { return gt.child == nil || gt.drained || gt.probe.answered }

// traded reports that nothing new goes to the generation before the one that serves:
// no request, and no connection if it has a gateway of its own.
func (m *master) traded(now time.Time) bool {
	prior := m.reload.prior
	gt := prior.gate
	switch {
	case gt == m.gen.gate:
		return prior.spared
	case gt.aside():
		return true
	case gt.probe.unanswered(now, m.awake) < asideLimit:
		return false
	}
	m.log.Warn("gateway may still accept", "gen", prior.number, "pid", gt.child.pid, "limit", asideLimit)
	return true
}
