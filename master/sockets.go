package master

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/settings"
)

// openSockets takes over the sockets that systemd passed and binds those of
// --bind beside them. The default address is bound only if there is neither.
// It fails as a whole: a service on half of its addresses is worse than one that
// says why it does not start.
func (m *master) openSockets(ctx context.Context) error {
	passed, err := activation.Inherited(m.env, m.cfg.PID)
	if err != nil {
		return err
	}
	m.sockets = passed
	s := m.cfg.Settings
	if len(passed) == 0 || s.Source("bind") != settings.Default {
		for _, address := range s.Bind() {
			if err := m.bind(ctx, address); err != nil {
				return err
			}
		}
	}
	for _, s := range m.sockets {
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
func (m *master) bind(ctx context.Context, address string) error {
	bind, err := activation.ParseBind(address)
	if err != nil {
		return err
	}
	passed := func(s activation.Socket) bool { return bind.Network == "fd" && s.FD == bind.FD }
	if slices.ContainsFunc(m.sockets, passed) {
		return nil
	}
	socket, err := activation.Listen(ctx, bind, activation.ListenOptions{
		Backlog: m.cfg.Settings.Backlog(),
		Mode:    socketMode &^ fs.FileMode(m.cfg.Settings.Umask()),
	})
	if err != nil {
		return err
	}
	m.sockets = append(m.sockets, socket)
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
