package master

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/settings"
)

// controlBacklog is the accept queue of the control socket.
const controlBacklog = 2 * control.MaxConnections

// questionAsked: somebody outside the loop wants an answer from its state. answer
// must not wait.
type questionAsked struct{ answer func() }

// door is an open control socket. It belongs to the plan that opened it, and to the
// next ones as long as they want the same.
type door struct {
	socket activation.Socket
	mode   int
	server *control.Server
}

// close ends the server and removes the socket's file.
func (d *door) close() error {
	if d == nil {
		return nil
	}
	d.server.Close()
	return d.socket.Close()
}

// openDoor opens the control socket that a plan wants, unless it is open. One that was
// named must be had; the usual one is done without if it cannot be, because a service
// that serves is better than one that can be asked why it does not.
func (m *master) openDoor(ctx context.Context, p *plan) error {
	path, named, err := m.controlPath(p.settings)
	if err != nil || path == "" {
		return err
	}
	mode := p.settings.ControlSocketMode()
	if m.plan != nil && m.plan.door != nil && m.plan.door.socket.Address == path && m.plan.door.mode == mode {
		p.door = m.plan.door
		return nil
	}
	p.door, err = m.newDoor(ctx, path, mode)
	if err != nil && !named {
		m.log.Warn("no control socket", "path", path, "error", err)
		return nil
	}
	return err
}

func (m *master) newDoor(ctx context.Context, path string, mode int) (*door, error) {
	socket, err := activation.Listen(ctx, activation.Bind{Network: "unix", Path: path}, activation.ListenOptions{
		Backlog: controlBacklog,
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
	server, err := control.Serve(socket.FD, &desk{m: m})
	if err != nil {
		_ = socket.Close() // the first error says more
		return nil, err
	}
	return &door{socket: socket, mode: mode, server: server}, nil
}

// controlPath is where the control socket is to be, absolute, "" for nowhere, and
// whether a setting says so. It is never a guess: the unit's runtime directory, or
// that of a person who runs the service by hand.
func (m *master) controlPath(s *settings.Values) (path string, named bool, err error) {
	runtime, user := m.env("RUNTIME_DIRECTORY"), m.env("XDG_RUNTIME_DIR")
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
		first, _, _ := strings.Cut(runtime, ":")
		return filepath.Join(first, control.SocketName), false, nil
	case user == "" || m.env("INVOCATION_ID") != "" && m.env("NOTIFY_SOCKET") != "":
		return "", false, nil // a unit without a runtime directory
	}
	dir := filepath.Join(user, "indrik")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.log.Warn("no control socket", "path", dir, "error", err)
		return "", false, nil
	}
	name := strings.Map(fileName, s.ProcName())
	if name == "" || control.Holder(filepath.Join(dir, name+control.Suffix)) != 0 && m.plan == nil {
		name = strconv.Itoa(m.cfg.PID)
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

// desk is the master as the control socket sees it. Its methods run on goroutines of
// the socket's clients and leave every look at the state to the loop.
type desk struct {
	m      *master
	vitals vitals
}

// ask has the loop find an answer, and waits for it until ctx ends. A question whose
// client has gone is not put any more.
func ask[T any](ctx context.Context, m *master, find func() (T, error)) (T, error) {
	type found struct {
		value T
		err   error
	}
	answer := make(chan found, 1)
	m.facts.post(questionAsked{func() {
		if ctx.Err() != nil {
			return
		}
		value, err := find()
		answer <- found{value, err}
	}})
	select {
	case a := <-answer:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("the master does not answer: %w", context.Cause(ctx))
	}
}
