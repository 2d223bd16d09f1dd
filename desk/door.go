package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/settings"
)

// backlog is the accept queue of the control socket.
const backlog = 2 * control.MaxConnections

// Door is an open control socket. It belongs to the plan that opened it, and to the
// next ones as long as they want the same.
type Door struct {
	Socket activation.Socket
	Mode   int // of its file
	Server *control.Server
}

// Close ends the server and removes the socket's file. A nil one is closed already.
func (d *Door) Close() error {
	if d == nil {
		return nil
	}
	d.Server.Close()
	return d.Socket.Close()
}

// Doorkeeper opens control sockets for one master. It belongs to the master's loop.
type Doorkeeper struct {
	Env     activation.Env
	PID     int // of the master
	Service control.Service
	Log     hclog.Logger
}

// Open opens the control socket that settings want: open if that is it, nil if they
// want none. One that was named must be had; the usual one is done without if it
// cannot be, because a service that serves is better than one that can be asked why
// it does not. first says that the service has had none yet.
func (k *Doorkeeper) Open(ctx context.Context, s *settings.Values, open *Door, first bool) (*Door, error) {
	path, named, err := k.place(s, first)
	if err != nil || path == "" {
		return nil, err
	}
	mode := s.ControlSocketMode()
	if open != nil && open.Socket.Address == path && open.Mode == mode {
		return open, nil
	}
	door, err := k.open(ctx, path, mode)
	if err != nil && !named {
		k.Log.Warn("no control socket", "path", path, "error", err)
		return nil, nil
	}
	return door, err
}

func (k *Doorkeeper) open(ctx context.Context, path string, mode int) (*Door, error) {
	socket, err := activation.Listen(ctx, activation.Bind{Network: "unix", Path: path}, activation.ListenOptions{
		Backlog: backlog,
		Mode:    fs.FileMode(mode),
	})
	if errors.Is(err, unix.EADDRINUSE) {
		if pid := control.Holder(path); pid != 0 {
			err = fmt.Errorf("%w; process %d listens there", err, pid)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	server, err := control.Serve(socket.FD, k.Service)
	if err != nil {
		_ = socket.Close() // the first error says more
		return nil, err
	}
	return &Door{Socket: socket, Mode: mode, Server: server}, nil
}

// place is where the control socket is to be, absolute, "" for nowhere, and whether
// a setting says so. It is never a guess: the unit's runtime directory, or that of a
// person who runs the service by hand.
func (k *Doorkeeper) place(s *settings.Values, first bool) (path string, named bool, err error) {
	runtime, user := k.Env("RUNTIME_DIRECTORY"), k.Env("XDG_RUNTIME_DIR")
	switch {
	case s.ControlSocketDisable():
		return "", false, nil
	case s.Source("control_socket") != settings.Default:
		if s.ControlSocket() == "" {
			return "", true, nil
		}
		path, err = filepath.Abs(s.ControlSocket())
		return path, true, err
	case runtime != "":
		dir, _, _ := strings.Cut(runtime, ":")
		return filepath.Join(dir, control.SocketName), false, nil
	case user == "" || k.Env("INVOCATION_ID") != "" && k.Env("NOTIFY_SOCKET") != "":
		return "", false, nil // a unit without a runtime directory
	}
	dir := filepath.Join(user, "indrik")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		k.Log.Warn("no control socket", "path", dir, "error", err)
		return "", false, nil
	}
	name := strings.Map(fileName, s.ProcName())
	if name == "" || first && control.Holder(filepath.Join(dir, name+control.Suffix)) != 0 {
		name = strconv.Itoa(k.PID)
	}
	return filepath.Join(dir, name+control.Suffix), false, nil
}

// fileName keeps what is harmless in the name of a file.
func fileName(r rune) rune {
	if r == '/' || r == os.PathSeparator || r < ' ' {
		return '_'
	}
	return r
}
