package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pidfile"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// restoring is a master that is filled from a state. Until commit nothing was
// signalled, reaped or received, and every descriptor of the state is as it was: the
// image before can go on with the same state if this one cannot.
type restoring struct {
	m  *master
	st *state

	gen  *generation
	plan *plan
	lost []childEnded // children that somebody else has reaped
	used []int        // descriptors of the state that were copied, for commit to close
}

// restore fills the master from a state. On an error, and on a panic, which becomes
// one, the master is of no use.
func (m *master) restore(st *state) (r *restoring, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	r = &restoring{m: m, st: st}
	m.path, m.home, m.began, m.cfg.Keep = st.Path, st.Home, st.Began, st.Keep
	m.epoch, m.last = st.Epoch, st.Last
	for _, f := range []func() error{r.process, r.sockets, r.recall, r.generation} {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// process is what belongs to the process and was not in the state: systemd's address
// is in the environment.
func (r *restoring) process() (err error) {
	m := r.m
	if err = m.voice.Find(m.env, m.cfg.PID); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	return nil
}

func (r *restoring) sockets() error {
	m := r.m
	m.passed, m.sockets = nil, nil
	for _, h := range r.st.Sockets {
		if kind, err := unix.GetsockoptInt(h.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || kind == 0 {
			return fmt.Errorf("listener %s: descriptor %d is none: %w", h.Name, h.FD, errors.Join(errNotTheirs, err))
		}
		s := h.socket()
		m.sockets = append(m.sockets, s)
		if !s.Owned {
			m.passed = append(m.passed, s)
		}
	}
	return nil
}

// recall makes the plan that is in force.
func (r *restoring) recall() error {
	m, h := r.m, &r.st.Generation
	values, err := settings.Recall(h.Settings)
	if err != nil {
		return err
	}
	p := &plan{settings: values, script: Script{Name: h.Script, Python: h.Python}, hooks: h.Hooks, dir: h.Dir}
	p.sockets = append(p.sockets, m.sockets...)
	if r.st.PIDFile != "" {
		p.pidFile = pidfile.File{Path: r.st.PIDFile, PID: m.cfg.PID}
	}
	if err := json.Unmarshal(r.st.Gateway.Config, &p.gateway); err != nil {
		return fmt.Errorf("decode the gateway's configuration: %w", err)
	}
	p.static = p.gateway.Static
	// What is not in the state may have gone meanwhile. A service that ran without it
	// until now goes on without it.
	if err := os.Chdir(p.dir); err != nil {
		m.log.Warn("working directory not entered", "error", err)
	}
	if err := m.planLogs(p); err != nil {
		m.log.Warn("logs not opened", "error", err)
	}
	if err := m.staff(p); err != nil {
		return err
	}
	r.plan = p
	return nil
}

// generation makes the one that serves, with its gateway. Nothing runs before commit.
func (r *restoring) generation() error {
	m, h := r.m, &r.st.Generation
	gt, err := r.gateway()
	if err != nil {
		return err
	}
	board, err := r.board(h.Board)
	if err != nil {
		return err
	}
	g := &generation{
		number: h.Number, plan: r.plan, gate: gt, wanted: h.Wanted, before: h.Before, lane: lane{h.Lane[0], h.Lane[1]},
		own: h.Own, fluid: r.plan.settings.Reload(), board: board, post: m.post, workers: map[pool.SlotID]*worker{},
	}
	gt.serves, g.place = g, m.placer(g)
	g.shown, g.strange = true, r.st.Writer != m.cfg.Version
	if c := h.Course; c != nil {
		g.course.Store(&course{iface: c.Interface, seats: c.Seats, own: c.Own})
	}
	if g.mold.child, err = r.child("mold", h.Mold); err != nil {
		return err
	}
	g.mold.configured = h.Configured
	cfg := m.poolConfig(r.plan.settings)
	cfg.Size, cfg.Slots = h.Wanted, board.Slots()
	cfg.Explain, cfg.Report = m.explain, m.announcer(&g)
	if g.pool, err = pool.Resume(g.wire(cfg), h.Pool); err != nil {
		return err
	}
	phases := map[pool.SlotID]pool.Phase{}
	for _, s := range h.Pool.Slots {
		phases[s.Slot] = s.Phase
	}
	for _, hw := range h.Workers {
		w, err := r.worker(g, hw)
		if err != nil {
			return err
		}
		w.phase = phases[w.slot]
		g.workers[w.slot] = w
	}
	r.gen = g
	return nil
}

func (r *restoring) gateway() (*gate, error) {
	h := &r.st.Gateway
	board, err := r.board(h.Board)
	if err != nil {
		return nil, err
	}
	fd, err := r.copied(h.Counts, "counters")
	if err != nil {
		return nil, err
	}
	counts, err := dispatch.OpenCounters(fd)
	if err != nil {
		return nil, err
	}
	gt := &gate{plan: r.plan, board: board, counts: counts, ordered: h.Ordered, serving: h.Serving, foreign: true, strange: r.st.Writer != r.m.cfg.Version}
	gt.child, err = r.child("gateway", h.heldChild)
	return gt, err
}

func (r *restoring) worker(g *generation, h heldWorker) (*worker, error) {
	w := &worker{
		gen: g, slot: pool.SlotID(h.Slot), pid: h.PID, ordered: r.st.Began, ready: h.Ready, joined: h.Joined,
		refused: h.Refused, replaced: h.Replaced, large: h.Large, released: h.Released, reply: h.Replies, silent: h.Report < 0,
	}
	if h.Slot < 0 || h.Slot >= g.board.Slots() {
		return nil, fmt.Errorf("worker of slot %d: the scoreboard has %d slots", h.Slot, g.board.Slots())
	}
	if h.Lane != nil {
		w.own = &lane{h.Lane[0], h.Lane[1]}
	}
	var err error
	if h.Stacks >= 0 {
		fd, err := r.copied(h.Stacks, "stacks of a worker")
		if err != nil {
			return nil, err
		}
		w.stacks = &stackFile{os.NewFile(uintptr(fd), "stacks of a worker"), syscall.Signal(h.Signal)}
	}
	if w.silent {
		return w, nil
	}
	w.report, err = r.channel(h.Report, fmt.Sprintf("report %d", w.slot))
	return w, err
}

// child is a process that runs already, or nil.
func (r *restoring) child(name string, h heldChild) (*child, error) {
	if h.PID == 0 {
		return nil, nil
	}
	if h.PID < 2 {
		return nil, fmt.Errorf("the %s is process %d: %w", name, h.PID, errNotTheirs)
	}
	c := &child{name: name, pid: h.PID, started: h.Started, closed: h.Channel < 0}
	var err error
	if !c.closed {
		if c.channel, err = r.channel(h.Channel, name); err != nil {
			return nil, err
		}
		c.channel.SetSendTimeout(sendLimit)
	}
	if c.process, err = pool.Watch(h.PID); errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ECHILD) {
		r.lost = append(r.lost, childEnded{c, pool.Exit{PID: h.PID, Status: -1}})
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch the %s: %w", name, err)
	}
	return c, nil
}

// channel opens a channel of the state on a copy of its descriptor.
func (r *restoring) channel(fd int, name string) (*dispatch.Channel, error) {
	fd, err := r.copied(fd, name)
	if err != nil {
		return nil, err
	}
	return dispatch.NewChannel(fd, name)
}

// board opens a scoreboard of the state on a copy of its descriptor.
func (r *restoring) board(fd int) (*dispatch.Scoreboard, error) {
	fd, err := r.copied(fd, "scoreboard")
	if err != nil {
		return nil, err
	}
	return dispatch.OpenScoreboard(fd)
}

func (r *restoring) copied(fd int, name string) (int, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("copy descriptor %d (%s): %w", fd, name, err)
	}
	r.used = append(r.used, fd)
	return own, nil
}

// commit makes what was restored the service. From here on there is no way back, and
// nothing that can fail.
func (r *restoring) commit() {
	m, g, h := r.m, r.gen, r.st.Reload
	closeAll(r.used)
	m.plan, m.gen, m.stage = r.plan, g, serving
	m.numbers.follow(m, r.plan.logs.stats)
	m.reload = reload{step: quieting, began: h.Began, again: h.Again, exchange: h.Exchange}
	if m.cfg.InForce != nil {
		m.cfg.InForce(r.plan.settings)
	}
	for _, c := range []*child{g.gate.child, g.mold.child} {
		if c != nil && c.process != nil {
			c.begin(m.post)
		}
	}
	for _, end := range r.lost {
		m.post(end)
	}
	for _, w := range g.workers {
		if w.report != nil {
			w.begin(g.post)
		}
	}
	m.carried(r.st)
	if m.parts == nil {
		m.parts = m.divide(r.plan)
	}
	g.start()
}

// inherit keeps the descriptors of a state from the programs that are started here, or
// lets the next image have them.
func (st *state) inherit(next bool) {
	flag := unix.FD_CLOEXEC
	if next {
		flag = 0
	}
	for _, fd := range st.descriptors() {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag) // EBADF: whoever uses it will say so
	}
}

// errNotTheirs reports that a descriptor or process of a state is another than it says.
var errNotTheirs = errors.New("the state does not fit this process")
