package master

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pidfile"
	"github.com/indrik/indrik/settings"
)

// plan is one reading of the configuration, worked out as far as can be done
// without starting a process that serves: whatever is wrong with it shows here. A
// generation is made from it, and a gateway. It is not changed once made.
type plan struct {
	settings *settings.Values
	script   Script   // the file that decided them; its Name is "" if there was none
	hooks    []string // that the file defines
	staff    staffing

	dir     string              // working directory of the processes
	sockets []activation.Socket // to accept from; who owns them is m.sockets
	fresh   []activation.Socket // those of them that were opened for this plan
	door    *desk.Door          // the control socket; nil for none
	admin   activation.Socket   // Name is "" if there is none
	pidFile pidfile.File
	static  gateway.Static
	logs    logPlan
	gateway gateway.Config // but for its epoch
}

// outline makes a plan as far as it needs nothing that another process may have, and
// enters its working directory, from which relative paths of the configuration are
// looked up. The plan is never nil.
func (m *master) outline(s *settings.Values, script Script, hooks []string) (p *plan, err error) {
	p = &plan{settings: s, script: script, hooks: hooks, dir: directory(m.home, s)}
	if err := os.Chdir(p.dir); err != nil {
		return p, fmt.Errorf("change to the directory of --chdir: %w", err)
	}
	if p.static, err = staticFiles(s); err != nil {
		return p, err
	}
	return p, m.staff(p)
}

// directory is the one that the settings ask for, of a service that was started in home.
func directory(home string, s *settings.Values) string {
	if filepath.IsAbs(s.Chdir()) {
		return s.Chdir()
	}
	return filepath.Join(home, s.Chdir())
}

// draft makes a whole plan. On an error nothing of it is left.
func (m *master) draft(ctx context.Context, s *settings.Values, script Script, hooks []string) (p *plan, err error) {
	defer func() {
		if err != nil {
			m.discard(p)
		}
	}()
	if p, err = m.outline(s, script, hooks); err != nil {
		return p, err
	}
	if err := m.planLogs(p); err != nil {
		return p, err
	}
	if err := m.openSockets(ctx, p); err != nil {
		return p, err
	}
	if err := checkIdleExit(p.settings.IdleExit(), p.sockets); err != nil {
		return p, err
	}
	if err := m.openDoor(ctx, p); err != nil {
		return p, err
	}
	if err := m.openAdmin(ctx, p); err != nil {
		return p, err
	}
	tls, err := m.prepareTLS(p)
	if err != nil {
		return p, err
	}
	p.gateway = m.gatewayConfig(s, p.static, tls)
	p.gateway.Multiprocess = p.staff.bounds.max > 1
	p.gateway.AccessSyslog, p.gateway.StatsD = p.logs.access, p.logs.stats
	p.pidFile, err = m.renewPIDFile(s.PIDFile())
	return p, err
}

// renewPIDFile writes the file of --pid, unless the one that is there is it.
func (m *master) renewPIDFile(path string) (pidfile.File, error) {
	whole, err := filepath.Abs(path)
	if path != "" && err == nil && m.plan != nil && m.plan.pidFile.Path == whole {
		return m.plan.pidFile, nil
	}
	return pidfile.Write(path, m.cfg.PID)
}

// discard takes back what a plan that will not be carried out has made.
func (m *master) discard(p *plan) {
	for _, s := range p.fresh {
		m.closeSocket(s)
	}
	p.fresh = nil
	if p.door != nil && (m.plan == nil || m.plan.door != p.door) {
		m.closeDoor(p.door)
		p.door = nil
	}
	m.dropAdmin(p)
	if m.plan == nil || m.plan.pidFile != p.pidFile {
		p.pidFile.Remove()
	}
	if m.plan != nil {
		if err := os.Chdir(m.plan.dir); err != nil {
			m.log.Warn("working directory not restored", "path", m.plan.dir, "error", err)
		}
	}
}

// enact makes a plan the one of the service: what only the one before had is given
// back. A socket that only that one accepted from is closed here; its gateway still
// takes what waits in it.
func (m *master) enact(p *plan) {
	before := m.plan
	m.voice.Store(p.fresh)
	m.plan, p.fresh = p, nil
	m.useLogs(before, p)
	m.useAdmin(p.admin)
	if before == nil {
		m.sockets = slices.Clone(p.sockets)
		return
	}
	for _, s := range before.sockets {
		if s.Owned && !slices.Contains(p.sockets, s) {
			m.voice.Unstore(s)
			m.closeSocket(s)
			m.log.Info("no longer listening", "listener", s.Name, "address", s.Address)
		}
	}
	m.sockets = slices.Clone(p.sockets)
	for _, s := range p.sockets {
		if s.Owned && before.settings.Backlog() != p.settings.Backlog() {
			_ = unix.Listen(s.FD, p.settings.Backlog()) // it listens already: only the number changes
		}
	}
	if before.door != p.door {
		m.closeDoor(before.door)
	}
	if before.pidFile != p.pidFile {
		before.pidFile.Remove()
	}
	if m.cfg.InForce != nil {
		m.cfg.InForce(p.settings)
		m.levels.Configured()
	}
}

func (m *master) closeDoor(d *desk.Door) {
	if err := d.Close(); err != nil {
		m.log.Warn("control socket not closed", "error", err)
	}
}

func (m *master) closeSocket(s activation.Socket) {
	if err := s.Close(); err != nil {
		m.log.Warn("listener not closed", "listener", s.Name, "error", err)
	}
}

// sameGateway reports that a gateway started for one plan does what the other
// wants.
func (p *plan) sameGateway(other *plan) bool {
	return p.dir == other.dir && slices.Equal(p.logs.arguments, other.logs.arguments) &&
		slices.Equal(p.sockets, other.sockets) && reflect.DeepEqual(p.gateway, other.gateway)
}

// loops is how many event loops the gateway of the plan has.
func (p *plan) loops() int { return p.gateway.Loops }

// app is the application to serve.
func (m *master) app(p *plan) string {
	if paste := p.settings.Paste(); paste != "" {
		return paste
	}
	if m.cfg.App != "" {
		return m.cfg.App
	}
	return p.settings.WSGIApp()
}

// loops is how many event loops the gateway gets. By default half of the
// processors, because the workers need the others; eight loops answer more
// requests than Python workers on any machine ask for.
func loops(wanted int) int {
	if wanted > 0 {
		return wanted
	}
	return min(max(runtime.GOMAXPROCS(0)/2, 1), 8)
}

// bootAtOnce is how many workers may boot at the same time. By default twice the
// number of processors, because imports wait for the disk too, and at least four.
func bootAtOnce(wanted int) int {
	if wanted > 0 {
		return wanted
	}
	return max(2*runtime.GOMAXPROCS(0), 4)
}
