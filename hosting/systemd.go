package hosting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	bus "github.com/godbus/dbus/v5"
)

// aliveEvery is how often a wait for a job looks whether systemd is still there: a
// connection that ends brings no result.
const aliveEvery = time.Second

// RefusedError says that systemd, or polkit for it, does not let this user do what
// was asked.
type RefusedError struct {
	What string // what was asked: "enable indrik@shop.socket"
	UID  int
	Err  error
}

// Error names who was refused what.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("systemd does not let user %d %s (%v)", e.UID, e.What, e.Err)
}

// Unwrap gives what D-Bus said.
func (e *RefusedError) Unwrap() error { return e.Err }

// Systemd is a manager over D-Bus; it implements [Manager]. The caller closes it.
type Systemd struct {
	conn *dbus.Conn
	uid  int
}

// Connect reaches the system's manager for user uid: root over systemd's own socket,
// which is there without a bus, anybody else over the system bus, where polkit decides.
func Connect(ctx context.Context, uid int) (*Systemd, error) {
	if uid != 0 {
		conn, err := dbus.NewSystemConnectionContext(ctx)
		if err != nil {
			return nil, fmt.Errorf("reach systemd over the system bus: %w; run it as root", err)
		}
		return &Systemd{conn, uid}, nil
	}
	conn, err := dbus.NewConnection(direct(ctx, "/run", uid))
	if err != nil {
		return nil, fmt.Errorf("reach systemd: %w; is systemd what this machine was started with?", err)
	}
	return &Systemd{conn, uid}, nil
}

// ConnectUser reaches a user's own manager, by its socket in the directory that
// XDG_RUNTIME_DIR names.
func ConnectUser(ctx context.Context, runtimeDir string, uid int) (*Systemd, error) {
	conn, err := dbus.NewConnection(direct(ctx, runtimeDir, uid))
	if err != nil {
		return nil, fmt.Errorf("reach your own systemd: %w; log in as this user, or have root run `loginctl enable-linger %d`", err, uid)
	}
	return &Systemd{conn, uid}, nil
}

// direct dials systemd itself, who speaks D-Bus there without a bus.
func direct(ctx context.Context, dir string, uid int) func() (*bus.Conn, error) {
	return func() (*bus.Conn, error) {
		conn, err := bus.Dial("unix:path="+bus.EscapeBusAddressValue(dir+"/systemd/private"), bus.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		if err := conn.Auth([]bus.Auth{bus.AuthExternal(strconv.Itoa(uid))}); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

// Close ends the connection.
func (s *Systemd) Close() { s.conn.Close() }

// failed is nil, or the error of a call with what it was for.
func (s *Systemd) failed(err error, what string) error {
	if err == nil {
		return nil
	}
	switch name := errorName(err); name {
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		"org.freedesktop.PolicyKit1.Error.NotAuthorized", "org.freedesktop.PolicyKit1.Error.Failed":
		return &RefusedError{What: what, UID: s.uid, Err: err}
	}
	return fmt.Errorf("have systemd %s: %w", what, err)
}

// errorName is what D-Bus calls an error, "" if it is none of D-Bus.
func errorName(err error) string {
	var value bus.Error
	var pointer *bus.Error
	switch {
	case errors.As(err, &value):
		return value.Name
	case errors.As(err, &pointer):
		return pointer.Name
	}
	return ""
}

// noSuchUnit says that systemd has not even heard of a unit.
func noSuchUnit(err error) bool { return errorName(err) == "org.freedesktop.systemd1.NoSuchUnit" }

// Reload is systemctl daemon-reload.
func (s *Systemd) Reload(ctx context.Context) error {
	return s.failed(s.conn.ReloadContext(ctx), "read its units again")
}

// Enable is systemctl enable, without the daemon-reload that systemctl adds: links
// of units that are started next need none.
func (s *Systemd) Enable(ctx context.Context, unit string) (bool, error) {
	_, changes, err := s.conn.EnableUnitFilesContext(ctx, []string{unit}, false, false)
	return len(changes) > 0, s.failed(err, "enable "+unit)
}

// Disable is systemctl disable.
func (s *Systemd) Disable(ctx context.Context, units ...string) error {
	_, err := s.conn.DisableUnitFilesContext(ctx, units, false)
	return s.failed(err, fmt.Sprintf("disable %s", units))
}

// Start starts a unit and waits until it is up. The unit's own limits end the wait.
func (s *Systemd) Start(ctx context.Context, unit string) error {
	result, err := s.job(ctx, s.conn.StartUnitContext, unit)
	if err != nil {
		return s.failed(err, "start "+unit)
	}
	if result != "done" {
		return fmt.Errorf("%s did not start (%s)%s; journalctl -u %s has the reason", unit, result, s.words(ctx, unit), unit)
	}
	return nil
}

// Stop stops a unit and waits until it is down, which for a service means drained.
func (s *Systemd) Stop(ctx context.Context, unit string) error {
	result, err := s.job(ctx, s.conn.StopUnitContext, unit)
	switch {
	case noSuchUnit(err):
		return nil
	case err != nil:
		return s.failed(err, "stop "+unit)
	case result != "done":
		return fmt.Errorf("%s did not stop (%s); journalctl -u %s has the reason", unit, result, unit)
	}
	return nil
}

// job asks for a job of a unit and returns its result once there is one.
func (s *Systemd) job(ctx context.Context, ask func(context.Context, string, string, chan<- string) (int, error), unit string) (string, error) {
	results := make(chan string, 1)
	if _, err := ask(ctx, unit, "replace", results); err != nil {
		return "", err
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		select {
		case result := <-results:
			return result, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-alive.C:
			if !s.conn.Connected() {
				return "", errors.New("the connection to systemd ended; systemctl status tells what became of it")
			}
		}
	}
}

// words is what the service itself says of its failure, in the form of a clause.
func (s *Systemd) words(ctx context.Context, unit string) string {
	status, err := s.conn.GetServicePropertyContext(ctx, unit, "StatusText")
	if err != nil {
		return "" // a socket has none
	}
	if text, ok := status.Value.Value().(string); ok && text != "" {
		return fmt.Sprintf(": %q", text)
	}
	return ""
}

// Forget is systemctl reset-failed.
func (s *Systemd) Forget(ctx context.Context, unit string) error {
	err := s.conn.ResetFailedUnitContext(ctx, unit)
	if noSuchUnit(err) {
		return nil
	}
	return s.failed(err, "forget the failure of "+unit)
}

// Look reads a unit's properties.
func (s *Systemd) Look(ctx context.Context, unit string) (State, error) {
	all, err := s.conn.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return State{}, s.failed(err, "tell of "+unit)
	}
	text := func(name string) string { t, _ := all[name].(string); return t }
	dropIns, _ := all["DropInPaths"].([]string)
	return State{
		Loaded:  text("LoadState") == "loaded",
		Running: slices.Contains([]string{"active", "activating", "reloading", "deactivating"}, text("ActiveState")),
		Enabled: slices.Contains([]string{"enabled", "enabled-runtime"}, text("UnitFileState")),
		DropIns: dropIns,
	}, nil
}
