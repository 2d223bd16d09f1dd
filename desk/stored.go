package desk

import (
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
)

// storePrefix begins the names in the store; what follows is the address.
const storePrefix = "bind="

// Stored are listeners that a service has bound and that outlived its restart in systemd's
// descriptor store, which it has if its unit says FileDescriptorStoreMax=: clients that come
// meanwhile wait in them, as in those of a socket unit. Unix sockets with a file are not
// stored: the file goes when the service stops, and a stop cannot be told from a restart.
//
// It belongs to the master's loop, and its sockets to it until they are reclaimed.
type Stored []activation.Socket

// TakeStored divides what systemd passed into listeners of the store and the rest.
func TakeStored(passed []activation.Socket) (stored Stored, rest []activation.Socket) {
	for _, s := range passed {
		if strings.HasPrefix(s.Name, storePrefix) {
			stored = append(stored, s)
		} else {
			rest = append(rest, s)
		}
	}
	return stored, rest
}

// Reclaim takes the listener of an address out. It is the caller's, as if it had just
// bound it; what its queue held when the service stopped is still in it.
func (l *Stored) Reclaim(b activation.Bind, backlog int, log hclog.Logger) (activation.Socket, bool) {
	i := slices.IndexFunc(*l, func(s activation.Socket) bool { return s.Name == storeName(b) })
	if i < 0 {
		return activation.Socket{}, false
	}
	s := (*l)[i]
	*l = slices.Delete(*l, i, i+1)
	s.Name, s.Owned = b.Text, true
	_ = unix.Listen(s.FD, backlog) // it listens already: only the number changes
	log.Info("listener taken back", "listener", s.Name, "address", s.Address)
	return s, true
}

// Drop forgets what nobody has reclaimed.
func (v *Voice) Drop(l *Stored) {
	for _, s := range *l {
		v.told(v.to.Remove(s.Name))
		v.log.Info("listener of the store not wanted", "listener", s.Name, "address", s.Address)
	}
	v.told(l.Close())
}

// Close closes what nobody has reclaimed; the store keeps it.
func (l *Stored) Close() error {
	var errs []error
	for _, s := range *l {
		errs = append(errs, s.Close())
	}
	*l = nil
	return errors.Join(errs...)
}

// Store has systemd keep listeners that were bound just now.
func (v *Voice) Store(bound []activation.Socket) {
	for _, s := range bound {
		if name := inStore(s); name != "" {
			v.told(v.to.Store(name, s.FD))
		}
	}
}

// Unstore makes systemd forget a listener that is no longer wanted.
func (v *Voice) Unstore(s activation.Socket) {
	if name := inStore(s); name != "" {
		v.told(v.to.Remove(name))
	}
}

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
