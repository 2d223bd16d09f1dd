package master

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/python"
)

const (
	// moldBoot bounds the start of an interpreter and the import of our own
	// modules; the application is imported by the workers, under boot_timeout.
	moldBoot = 30 * time.Second
	// forkLimit is how long the mold may take to answer a spawn order. It
	// only forks, so one that takes this long is stuck.
	forkLimit = 10 * time.Second
)

// mold is the master's side of the mold of a generation. The zero value is a
// mold that does not run.
type mold struct {
	child      *child
	configured bool
	reason     string // one line of what it said when it failed, or why it was killed
	report     string // all that it said
	stage      string // "load" or "boot" if it was the application's fault
	budget     budget
	retryAt    time.Time // when to start the next; zero if one runs
}

// able reports that the mold takes spawn orders.
func (m *mold) able() bool { return m.child != nil && m.configured && !m.child.closed }

// begin makes m that of a child that has said nothing yet.
func (m *mold) begin(c *child) {
	*m = mold{child: c, budget: m.budget}
}

// startMold starts and configures the mold of a generation: the one that has run
// the configuration file already if there is one, else a new one, which then runs
// the file again because the hooks are in it.
func (m *master) startMold(g *generation) error {
	s := g.plan.settings
	c := g.early
	g.early = nil
	if c != nil {
		g.mold.begin(c)
	} else {
		var err error
		if c, err = m.spawnMold(s.Python(), g.plan.dir, applicationEnv(m.cfg.Env, s.RawEnv())); err != nil {
			return err
		}
		g.mold.begin(c) // from here on its end is a fact
		if g.plan.script.Name != "" {
			if err := c.order(readOrder(g.plan.script)); err != nil {
				return err
			}
		}
	}
	m.parts.Place(parts.Mold(g.number, c.pid), c.pid)
	m.lower(g, c.pid, time.Now())
	m.log.Debug("mold started", "gen", g.number, "pid", c.pid, "python", s.Python())
	return c.order(dispatch.Tuple{"configure", m.moldSettings(g.plan, g.number, g.before)}, g.board.FD(), g.lane.workers)
}

// moldSettings is what a mold is told of the settings (docs/protocol.md, "Keys of
// configure"). before is -1 if no generation was before.
func (m *master) moldSettings(p *plan, generation, before int) dispatch.Dict {
	s := p.settings
	var earlier any
	if before >= 0 {
		earlier = int64(before)
	}
	plain, milliseconds := everySetting(s)
	plain["workers"] = int64(p.staff.start)
	return dispatch.Dict{
		"dir":          p.dir,
		"before":       earlier,
		"settings":     plain,
		"seconds":      milliseconds,
		"app":          m.app(p),
		"generation":   int64(generation),
		"name":         s.ProcName(),
		"pythonpath":   list(s.PythonPath()),
		"worker_class": s.WorkerClass(),
		"loops":        int64(loops(s.GatewayThreads())),
		"version":      m.cfg.Version,
		"options":      m.options(s),
	}
}

// spawnMold starts the interpreter with our Python code in memory, so that
// nothing needs to be installed beside the binary.
func (m *master) spawnMold(interpreter, dir string, env []string) (*child, error) {
	code, err := pythonSide()
	if err != nil {
		return nil, err
	}
	defer closeAll(code)
	files := code
	compiled := m.compiledFor(interpreter)
	if compiled >= 0 {
		files = append(slices.Clone(code), compiled)
	}
	c, err := startChild(program{
		name:   "mold",
		path:   interpreter,
		argv:   python.Arguments(interpreter, compiled >= 0),
		env:    env,
		dir:    dir,
		stdout: m.cfg.Stdout, stderr: m.cfg.Stderr,
		extra: files,
	}, m.post)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOEXEC) {
		err = fmt.Errorf("%w; choose an interpreter with --python", err)
	}
	return c, err
}

// pythonSide returns the memfds that a mold is started with.
func pythonSide() ([]int, error) {
	boot, err := python.Boot()
	if err != nil {
		return nil, err
	}
	sources, err := python.Sources()
	if err != nil {
		return nil, err
	}
	first, err := memory("indrik-boot", boot)
	if err != nil {
		return nil, err
	}
	second, err := memory("indrik-sources", sources)
	if err != nil {
		closeAll([]int{first})
		return nil, err
	}
	return []int{first, second}, nil
}

// applicationEnv returns the environment of the mold and so of the workers:
// without what systemd said to the master alone, and with the variables of
// --env, of which a later one replaces an earlier one and any inherited.
func applicationEnv(inherited, set []string) []string {
	env := activation.Unset(inherited)
	place := make(map[string]int, len(env))
	for i, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		place[name] = i
	}
	for _, entry := range set {
		name, _, _ := strings.Cut(entry, "=")
		if i, there := place[name]; there {
			env[i] = entry
			continue
		}
		place[name] = len(env)
		env = append(env, entry)
	}
	return env
}

// moldSaid hears the mold.
func (m *master) moldSaid(g *generation, msg dispatch.Tuple) {
	switch word(msg) {
	case "read": // by a mold that replaces another: the settings are decided already
	case "configured":
		g.mold.configured = true
		m.log.Debug("mold ready", "gen", g.number, "pid", g.mold.child.pid, "python", text(msg, 1))
	case "failed":
		g.mold.report, g.mold.stage = text(msg, 1), text(msg, 2)
		g.mold.reason = lastLine(g.mold.report)
		if !m.rising(g) { // else it becomes the error of Run, or of the reload
			m.log.Error("mold failed", "gen", g.number, "reason", g.mold.reason)
			m.printRaw(g.mold.report)
		}
	case "forked":
		m.forked(g, pool.SlotID(number(msg, 1)), number(msg, 2))
	case "not forked":
		w, there := g.workers[pool.SlotID(number(msg, 1))]
		if !there || !w.pending() {
			return
		}
		g.forget(w)
		g.pool.SpawnFailed(w.slot, fmt.Errorf("fork a worker: %s (%w)", text(msg, 3), unix.Errno(number(msg, 2))))
	default:
		m.log.Error("mold not understood", "message", word(msg))
		g.mold.child.kill()
	}
}

// forked hears that the mold forked a worker.
func (m *master) forked(g *generation, slot pool.SlotID, pid int) {
	if pid <= 1 {
		return // kill(2) would mean more than one process
	}
	w, there := g.workers[slot]
	if there && w.pending() {
		g.forked(w, pid)
		return
	}
	if there && w.pid == pid {
		return // adopted from the scoreboard already
	}
	m.log.Warn("surplus worker killed", "gen", g.number, "slot", int(slot), "pid", pid)
	g.stray(pid)
}

// moldEnded replaces the mold. The workers it forked are the master's children
// and notice nothing.
func (m *master) moldEnded(g *generation, exit pool.Exit) {
	g.mold.child.hangUp()
	pid := g.mold.child.pid
	m.parts.Outlived(parts.Mold(g.number, pid))
	g.mold.child = nil
	if m.stage == stopping || g.leaving || g.parked {
		g.moldBy = false
		g.orphan()
		return
	}
	m.tolls.Restart("mold")
	reason := g.mold.reason
	if reason == "" {
		reason = desk.Ending(exit)
	}
	if m.rising(g) && !g.mold.configured {
		m.giveUp(g, m.moldFailure(g, reason))
		return
	}
	wait := g.mold.budget.died(time.Now())
	m.chronicle.Note(control.Event{What: "mold died", Generation: g.number, PID: pid, Reason: reason})
	m.log.Warn("mold ended", "gen", g.number, "pid", pid, "reason", reason, "pause", wait)
	g.orphan()
	g.mold.retryAt = time.Now().Add(wait)
	m.restart(time.Now())
}

// moldFailure says why the first mold of a generation did not come up. One that
// loads the application itself (preload_app) says what of it failed, as a worker does.
func (m *master) moldFailure(g *generation, reason string) *bootFailure {
	return g.mold.failure(m.app(g.plan), reason)
}

// failure is that of a mold that has said, or not, why it ends.
func (m *mold) failure(app, reason string) *bootFailure {
	f := &bootFailure{kind: ErrBoot, what: "start Python for " + app, reason: reason}
	switch m.stage {
	case "load":
		f.kind, f.what, f.text = ErrLoad, "load "+app, m.report
	case "boot":
		f.what, f.text = "boot "+app, m.report
	}
	return f
}

// judgeMold kills a mold that takes too long: to start, or to fork.
func (m *master) judgeMold(g *generation, now time.Time) {
	c := g.mold.child
	if c == nil {
		return
	}
	since, limit := c.started, moldBoot
	if s := g.plan.settings; s.PreloadApp() {
		limit += s.BootTimeout() // the application is loaded by the mold
	}
	if g.mold.configured {
		since, limit = g.oldestOrder(), forkLimit
	}
	if since.IsZero() || now.Sub(later(since, m.awake)) <= limit {
		return
	}
	g.mold.reason = fmt.Sprintf("it did not answer within %v", limit)
	m.log.Error("mold stuck", "gen", g.number, "pid", c.pid, "limit", limit)
	c.kill()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
