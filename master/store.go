package master

import (
	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/desk"
)

// reclaim takes the listener of an address out of those that came from the store.
func (m *master) reclaim(b activation.Bind, backlog int) (activation.Socket, bool) {
	return m.stored.Reclaim(b, backlog, m.log)
}

// store has systemd keep listeners that were bound just now.
func (m *master) store(bound []activation.Socket) { m.told(desk.Store(m.notifier, bound)) }

// unstore makes systemd forget a listener that is no longer wanted.
func (m *master) unstore(s activation.Socket) { m.told(desk.Unstore(m.notifier, s)) }

// dropStored forgets what is in the store and nobody wants any more.
func (m *master) dropStored() { m.told(m.stored.Drop(m.notifier, m.log)) }
