package master

import (
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
)

// handOver lets a new gateway, which accepts already, take the connections of the
// one before over, which drains. The two have a channel for that, of which we keep
// no end: if one dies, the other hears of it.
func (m *master) handOver(from, to *gate, patience time.Duration) {
	idle := patience / 2 // for connections that cannot move
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
