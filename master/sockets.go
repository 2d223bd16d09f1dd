package master

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/settings"
)

// openSockets takes the sockets that systemd passed for p and binds those of
// --bind beside them, but for those that are bound already. The default address is
// bound only if there is neither. It fails as a whole: a service on half of its
// addresses is worse than one that says why it does not start.
func (m *master) openSockets(ctx context.Context, p *plan) error {
	p.sockets = slices.Clone(m.passed)
	s := p.settings
	if len(m.passed) == 0 || s.Source("bind") != settings.Default {
		for _, address := range s.Bind() {
			if err := m.bind(ctx, p, address); err != nil {
				return err
			}
		}
	}
	for _, s := range p.sockets {
		if m.plan != nil && !slices.Contains(p.fresh, s) {
			continue // it was said when it was opened
		}
		origin := "systemd"
		if s.Owned {
			origin = "bind"
		}
		m.log.Info("listening", "listener", s.Name, "address", s.Address, "network", s.Network, "from", origin)
	}
	return nil
}

// socketMode lets everybody connect to a Unix socket of --bind, as Gunicorn
// does and as anybody may connect to a port of loopback: the proxy in front runs
// as another user. Who may reach the socket is said by its directory.
const socketMode = 0o777

// bind opens the socket of one --bind. fd://3 is how Gunicorn's users name a
// socket that systemd passed: that one we have already.
func (m *master) bind(ctx context.Context, p *plan, address string) error {
	bind, err := activation.ParseBind(address)
	if err != nil {
		return err
	}
	passed := func(s activation.Socket) bool { return bind.Network == "fd" && s.FD == bind.FD }
	if slices.ContainsFunc(p.sockets, passed) {
		return nil
	}
	for _, s := range m.sockets {
		if bound, err := activation.ParseBind(s.Name); err == nil && s.Owned && bound.String() == bind.String() {
			p.sockets = append(p.sockets, s)
			return nil
		}
	}
	if s, there := m.stored.Reclaim(bind, p.settings.Backlog(), m.log); there {
		p.sockets = append(p.sockets, s)
		return nil
	}
	socket, err := activation.Listen(ctx, bind, activation.ListenOptions{
		Backlog: p.settings.Backlog(),
		Mode:    socketMode &^ fs.FileMode(p.settings.Umask()),
	})
	if err != nil {
		return err
	}
	p.sockets, p.fresh = append(p.sockets, socket), append(p.fresh, socket)
	return nil
}

// closeSockets closes our listeners, and removes the files of those Unix
// sockets that we bound; systemd's stay as they are.
func (m *master) closeSockets() error {
	var errs []error
	for _, s := range m.sockets {
		if err := s.Close(); err != nil {
			errs = append(errs, err) // it names the listener
		}
	}
	m.sockets = nil
	return errors.Join(errs...)
}
