package master

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
)

// Listeners that we bound outlive a restart of the service in systemd's descriptor
// store, if the unit has FileDescriptorStoreMax=: clients that come meanwhile wait in
// them, as in those of a socket unit. Unix sockets with a file are not stored: the
// file goes when the service stops, and a stop cannot be told from a restart.

// storePrefix begins the names in the store; what follows is the address.
const storePrefix = "bind="

// storeName is what the store calls a listener bound to b. A colon would end it.
func storeName(b activation.Bind) string {
	return storePrefix + strings.NewReplacer("%", "%25", ":", "%3A").Replace(b.String())
}

// inStore is the name of a listener that belongs into the store; "" if it does not.
func inStore(s activation.Socket) string {
	b, err := activation.ParseBind(s.Name)
	if err != nil || !s.Owned || s.File != (activation.FileID{}) {
		return ""
	}
	return storeName(b)
}

// takeStored divides what systemd passed into listeners of the store and the rest.
func takeStored(passed []activation.Socket) (stored, rest []activation.Socket) {
	for _, s := range passed {
		if strings.HasPrefix(s.Name, storePrefix) {
			stored = append(stored, s)
		} else {
			rest = append(rest, s)
		}
	}
	return stored, rest
}

// reclaim takes the listener of an address out of those that came from the store. It
// is ours again; what its queue held when the service stopped is still in it.
func (m *master) reclaim(b activation.Bind, backlog int) (activation.Socket, bool) {
	i := slices.IndexFunc(m.stored, func(s activation.Socket) bool { return s.Name == storeName(b) })
	if i < 0 {
		return activation.Socket{}, false
	}
	s := m.stored[i]
	m.stored = slices.Delete(m.stored, i, i+1)
	s.Name, s.Owned = b.Text, true
	_ = unix.Listen(s.FD, backlog) // it listens already: only the number changes
	m.log.Info("listener taken back", "listener", s.Name, "address", s.Address)
	return s, true
}

// store has systemd keep listeners that were bound just now.
func (m *master) store(bound []activation.Socket) {
	for _, s := range bound {
		if name := inStore(s); name != "" {
			m.told(m.notifier.Store(name, s.FD))
		}
	}
}

// unstore makes systemd forget a listener that is no longer wanted.
func (m *master) unstore(s activation.Socket) {
	if name := inStore(s); name != "" {
		m.told(m.notifier.Remove(name))
	}
}

// dropStored forgets what is in the store and nobody wants any more.
func (m *master) dropStored() {
	for _, s := range m.stored {
		m.told(m.notifier.Remove(s.Name))
		m.log.Info("listener of the store not wanted", "listener", s.Name, "address", s.Address)
		m.closeSocket(s)
	}
	m.stored = nil
}
