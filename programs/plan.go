package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pidfile"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// plan is one reading of the configuration, worked out as far as can be done without
// starting a program. It is not changed once made, but for sockets of single workers.
type plan struct {
	settings *settings.Values
	argv     []string
	path     string // absolute path of the file to execute
	dir      string // working directory
	env      []string
	umask    string // as the shim takes it
	identity *identity
	sockets  []activation.Socket // shared by all workers
	fresh    []activation.Socket // those of them that were opened for this plan
	single   []activation.Bind   // to bind once for each worker
	pidFile  pidfile.File
	door     *desk.Door        // the control socket; nil for none
	admin    activation.Socket // for probes and metrics; its Name is "" for none
}

// outline makes a plan as far as it needs nothing that another process may have, and
// enters its working directory, from which relative paths are looked up. The plan is
// never nil.
func (m *master) outline(s *settings.Values) (*plan, error) {
	p := &plan{settings: s, argv: s.Exec(), dir: filepath.Join(m.home, s.Chdir()), umask: inheritedUmask}
	if filepath.IsAbs(s.Chdir()) {
		p.dir = s.Chdir()
	}
	if err := os.Chdir(p.dir); err != nil {
		return p, fmt.Errorf("change to the directory of --chdir: %w", err)
	}
	if s.Source("umask") != settings.Default {
		p.umask = fmt.Sprintf("%o", s.Umask())
	}
	p.env = overlay(activation.Unset(m.cfg.Env), s.RawEnv())
	if s.ExecReady() == "notify" && s.ExecReadyAfter() > 0 {
		return p, fmt.Errorf("ready notify and ready-after exclude each other: a program is either asked or guessed about; leave one out")
	}
	var err error
	if p.identity, err = newIdentity(s); err != nil {
		return p, err
	}
	p.path, err = executable(p.argv[0], p.dir, p.env)
	return p, err
}

// draft makes a whole plan. On an error nothing of it is left.
func (m *master) draft(ctx context.Context, s *settings.Values) (p *plan, err error) {
	defer func() {
		if err != nil {
			m.discard(p)
		}
	}()
	if p, err = m.outline(s); err != nil {
		return p, err
	}
	if err := m.planLogs(p); err != nil {
		return p, err
	}
	if err := m.openSockets(ctx, p); err != nil {
		return p, err
	}
	if err := m.openDoor(ctx, p); err != nil {
		return p, err
	}
	if p.admin, err = m.admin.Open(ctx, s); err != nil {
		return p, err
	}
	p.pidFile, err = m.renewPIDFile(s.PIDFile())
	return p, err
}

// workers is how many programs the configuration wants.
func (p *plan) workers() int {
	if n := p.settings.Workers(); n != settings.Auto {
		return n
	}
	return min(max(cgroup.Processors(), 1), pool.MaxSize)
}

// renewPIDFile writes the file of --pid, unless the one that is there is it.
func (m *master) renewPIDFile(path string) (pidfile.File, error) {
	whole, err := filepath.Abs(path)
	if path != "" && err == nil && m.plan != nil && m.plan.pidFile.Path == whole {
		return m.plan.pidFile, nil
	}
	return pidfile.Write(path, m.cfg.PID)
}

// name is what the service is called in syslog.
func (p *plan) name() string {
	if name := p.settings.SyslogPrefix(); name != "" {
		return name
	}
	return filepath.Base(p.path)
}

// planLogs sees to it that the log can go where it is to.
func (m *master) planLogs(p *plan) error {
	switch {
	case m.cfg.Logs == nil:
		return nil
	case m.plan == nil:
		return m.cfg.Logs.Open(p.settings, p.name())
	}
	return m.cfg.Logs.Try(p.settings)
}

// discard takes back what a plan that will not be carried out has made.
func (m *master) discard(p *plan) {
	for _, s := range p.fresh {
		m.closeSocket(s)
	}
	p.fresh = nil
	if m.plan == nil || m.plan.door != p.door {
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
// back.
func (m *master) enact(p *plan) {
	before := m.plan
	m.voice.Store(p.fresh)
	m.plan, p.fresh = p, nil
	m.useAdmin(p.admin)
	for _, s := range m.sockets {
		if !slices.Contains(p.sockets, s) {
			m.voice.Unstore(s)
			m.closeSocket(s)
			m.log.Info("no longer listening", "listener", s.Name, "address", s.Address)
		}
	}
	m.sockets = slices.DeleteFunc(slices.Clone(p.sockets), func(s activation.Socket) bool { return !s.Owned })
	if before == nil {
		return
	}
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
	if m.cfg.Logs != nil {
		if err := m.cfg.Logs.Open(p.settings, p.name()); err != nil {
			m.log.Error("error log could not be opened", "error", err)
		}
	}
	if m.cfg.InForce != nil {
		m.cfg.InForce(p.settings)
		m.levels.Configured()
	}
}

// executable finds the file that a program's name stands for, as execvp(3) does: a
// name without a slash is looked for in PATH of the program's own environment.
func executable(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if err := checkExecutable(path); err != nil {
			return "", fmt.Errorf("%w: %w", ErrStart, err)
		}
		return path, nil
	}
	search := lookup(env)("PATH")
	for _, place := range filepath.SplitList(search) {
		if !filepath.IsAbs(place) {
			place = filepath.Join(dir, place)
		}
		path := filepath.Join(place, name)
		if checkExecutable(path) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %q is not in PATH (%s); give the path of a file", ErrStart, name, search)
}

// checkExecutable refuses a file that nobody could execute. Whether the workers' user
// may, the kernel says when it is tried.
func checkExecutable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &os.PathError{Op: "execute", Path: path, Err: unix.EACCES}
	case info.Mode()&0o111 == 0:
		return &os.PathError{Op: "execute", Path: path, Err: fmt.Errorf("%w; make it executable: chmod +x", unix.EACCES)}
	}
	return nil
}

// overlay sets variables in an environment, each NAME=VALUE, the later ones winning.
func overlay(environ, more []string) []string {
	for _, entry := range more {
		name, _, _ := strings.Cut(entry, "=")
		environ = slices.DeleteFunc(environ, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		environ = append(environ, entry)
	}
	return environ
}

// lookup makes an Env of an environment. Of several entries with one name the first
// counts, as for os.Getenv.
func lookup(environ []string) activation.Env {
	return func(key string) string {
		for _, entry := range environ {
			if name, value, ok := strings.Cut(entry, "="); ok && name == key {
				return value
			}
		}
		return ""
	}
}
