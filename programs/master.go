package programs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/internal/mailbox"
	"github.com/indrik/indrik/pool"
)

// master is the state of the service. It belongs to the goroutine that called Run;
// see facts.go for how the others tell it things.
type master struct {
	cfg   Config
	env   activation.Env
	log   hclog.Logger
	facts *mailbox.Box[fact]

	home    string              // working directory at the start
	passed  []activation.Socket // by systemd
	stored  desk.Stored         // from its descriptor store, until they are wanted or dropped
	sockets []activation.Socket // bound by us for all workers, but for those of a plan that is not in force
	berths  map[pool.SlotID]*berth
	chosen  map[string]string // addresses of berths, by how they were written
	store   store

	plan      *plan       // in force
	gen       *generation // that serves, or is to
	old       []*generation
	reload    reload
	last      int // number of the last generation that was made
	leftovers []leftover
	parts     *parts.Parts
	oom       *cgroup.OOMKills
	scales    desk.Scales
	printing  []*prefixer // that have more to copy

	stage     stage
	began     time.Time
	asked     time.Time // when a signal asked for the stop
	farewell  desk.Farewell
	deadline  time.Time // stopping: when quick has lost its patience; zero before
	outcome   error     // what Run returns
	reloads   desk.Reloads
	chronicle desk.Chronicle
	tolls     desk.Tolls
	admin     desk.Admin
	lobby     desk.Lobby
	levels    desk.Levels
	voice     desk.Voice
	spoke     time.Time // when the status line changed last
}

// stage is how far the service is in its life. It only grows.
type stage uint8

const (
	booting  stage = iota // no client would be answered yet
	serving               // READY=1 was sent
	stopping              // asked to leave, or failed
)

// String is what the status on the control socket says.
func (s stage) String() string {
	return [...]string{booting: "booting", serving: "serving", stopping: "stopping"}[s]
}

func newMaster(cfg Config) *master {
	log := cfg.Log.Named("master")
	return &master{
		cfg: cfg, env: lookup(cfg.Env), log: log, voice: desk.NewVoice(log), facts: mailbox.New[fact](),
		berths: make(map[pool.SlotID]*berth), chosen: make(map[string]string), store: make(store), began: time.Now(),
		oom: cgroup.WatchOOM(parts.Master),
	}
}

// prepare makes everything that can fail for reasons of configuration. Nothing of it
// starts a process.
func (m *master) prepare(ctx context.Context) (err error) {
	if m.home, err = os.Getwd(); err != nil {
		return fmt.Errorf("find the working directory: %w", err)
	}
	if err = m.voice.Find(m.env, m.cfg.PID); err != nil {
		return err
	}
	if err = m.inherit(); err != nil {
		return err
	}
	p, err := m.draft(ctx, m.cfg.Settings)
	if err != nil {
		return err
	}
	m.enact(p)
	m.voice.Drop(&m.stored)
	// What programs leave behind must become ours and not PID 1's.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	m.parts = parts.Divide(p.settings.ControlGroups(), p.settings.WorkerMemoryHigh() > 0, m.log)
	m.gen, err = m.newGeneration(p, p.workers(), p.workers())
	return err
}

// run is the loop.
func (m *master) run(ctx context.Context) error {
	stop := ctx.Done()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	m.log.Info("starting", "program", hclog.Quote(m.plan.path), "workers", m.gen.wanted)
	m.gen.start(m.post)
	for !m.gone() {
		select {
		case <-stop:
			stop = nil // heard once; a nil channel never fires again
			m.askStop(context.Cause(ctx).Error())
		case sig := <-m.cfg.Signals:
			m.signalled(sig)
		case <-m.facts.Wake():
			for _, f := range m.facts.Take() {
				m.heard(f)
			}
		case <-alarm.C:
			m.ticked(time.Now())
			alarm.Reset(m.period())
		}
		m.settle()
	}
	m.killChildren()
	m.parts.Tidy(time.Now()) // of those that are empty by now
	m.awaitOutput()
	if m.outcome == nil {
		m.log.Info("stopped", "after", time.Since(m.began).Round(time.Millisecond))
	}
	return m.outcome
}

// heard deals with one fact.
func (m *master) heard(f fact) {
	switch f := f.(type) {
	case spawnWanted:
		f.gen.orders = append(f.gen.orders, f.slot)
	case workerSaid:
		f.worker.ear.taken()
		m.hear(f.worker, f.notice)
	case questionAsked:
		f.answer()
	case workersWeighed:
		m.workersWeighed(f)
	case workerQuiet:
		f.worker.silent = true
	case slotMoved:
		m.slotMoved(f.gen, f.change)
	case poolEnded:
		f.gen.ended = true
		if f.err != nil {
			m.log.Error("pool ended", "gen", f.gen.number, "error", f.err)
		}
	}
}

// The loop turns by itself so often while something is on its way, and otherwise.
const (
	periodBusy = 50 * time.Millisecond
	periodIdle = 500 * time.Millisecond
)

func (m *master) period() time.Duration {
	period := periodIdle
	for _, g := range m.generations() {
		if t := g.count(); t.starting > 0 || len(g.orders) > 0 || g.leaving {
			period = periodBusy
		}
	}
	if len(m.leftovers) > 0 || m.reload.next != nil || m.stage == stopping {
		period = periodBusy
	}
	return m.voice.Period(period)
}

// ticked does what depends on time alone.
func (m *master) ticked(now time.Time) {
	for _, g := range m.generations() {
		for _, w := range g.workers {
			m.observe(w, now)
		}
	}
	m.killLeftovers(now)
	m.parts.Tidy(now)
	m.oom.Refresh(now)
	m.weigh(now)
	m.sweep()
	m.judgeFarewell(now)
	m.judgeStop(now)
	m.ping(now)
	m.extend(now)
}

// settle does what has become possible by what was heard: it is derived from the
// state and not from the event, so that no order of events is missed.
func (m *master) settle() {
	now := time.Now()
	for _, g := range m.generations() {
		for slot, w := range g.workers {
			if !w.died.IsZero() && m.bury(w, now) {
				delete(g.workers, slot)
				m.mourn(w)
			}
		}
		m.answer(g)
	}
	m.old = slices.DeleteFunc(m.old, func(g *generation) bool {
		if g.gone() && !g.replaced.IsZero() {
			m.log.Info("reload done", "gen", m.gen.number, "after", time.Since(g.replaced).Round(time.Millisecond))
		}
		return g.gone()
	})
	m.proceed()
	if len(m.berths) > 0 {
		m.trimBerths()
	}
	m.serve()
	m.speak()
}

// answer starts the workers that a pool ordered. A slot is filled when the last words
// of the worker before have been heard: they may be descriptors for the next.
func (m *master) answer(g *generation) {
	orders := g.orders
	g.orders = nil
	for _, slot := range orders {
		switch {
		case g.leaving || m.stage == stopping:
			g.pool.SpawnFailed(slot, errLeaving)
		case g.workers[slot] != nil:
			g.orders = append(g.orders, slot)
		default:
			m.fill(g, slot)
		}
	}
}

func (m *master) fill(g *generation, slot pool.SlotID) {
	err := m.openSlot(context.Background(), g.plan, slot)
	var w *worker
	if err == nil {
		w, err = m.launch(g, slot)
	}
	if err != nil {
		g.pool.SpawnFailed(slot, err)
		m.cannotStart(g, fmt.Errorf("%w: %w", ErrStart, err))
		return
	}
	g.workers[slot] = w
	g.signs[slot].Store(w.signs)
	w.phase = pool.Starting
	g.pool.Spawned(slot, w.pid)
}

// slotMoved hears what a pool has made of a worker.
func (m *master) slotMoved(g *generation, c pool.Change) {
	w := g.workers[c.Slot]
	if w == nil || w.pid != c.PID {
		return // a surplus process, which the pool deals with
	}
	w.phase = c.To
	if c.Death == nil {
		return
	}
	w.died, w.death = time.Now(), c.Death
	m.chronicle.Buried(g.number, c.Death)
	m.tolls.End(c.Death.Cause.String())
	m.parts.Died(w.part(), int(w.slot))
	m.leftovers = append(m.leftovers, leftover{group: w.pid, entry: "NOTIFY_SOCKET=" + w.ear.address, slot: int(w.slot), until: w.died.Add(leftoverTime)})
	m.killLeftovers(w.died)
}

// mourn draws the conclusions from the end of a worker, once everything that it said
// has been heard: its last words may be why it could not be brought up.
func (m *master) mourn(w *worker) {
	if !w.death.Booted && w.death.Cause != pool.Asked {
		m.cannotStart(w.gen, w.why())
	}
}

// cannotStart hears that a program of g could not be brought up. Before anything
// serves that ends the service, or a reload; later it is the pool's business.
func (m *master) cannotStart(g *generation, why error) {
	switch {
	case g == m.reload.next:
		m.failReload(why)
	case g == m.gen && m.stage == booting:
		m.fail(why)
	case g == m.gen && m.stage == serving:
		m.log.Warn("program not replaced yet", "error", why)
	}
}

// serve says READY=1 once a program is ready.
func (m *master) serve() {
	t := m.gen.count()
	if m.stage != booting || t.ready == 0 {
		return
	}
	m.stage = serving
	m.tellReady()
	m.chronicle.Note(control.Event{What: "serving", Generation: m.gen.number})
	m.log.Info("serving", "gen", m.gen.number, "ready", t.ready, "workers", m.gen.wanted,
		"after", time.Since(m.began).Round(time.Millisecond))
}

// generations are all that have processes or may have.
func (m *master) generations() []*generation {
	all := slices.Clone(m.old)
	for _, g := range []*generation{m.gen, m.reload.next} {
		if g != nil {
			all = append(all, g)
		}
	}
	return all
}

// occupied reports whether any generation has a worker in the slot.
func (m *master) occupied(slot pool.SlotID) bool {
	return slices.ContainsFunc(m.generations(), func(g *generation) bool { return g.workers[slot] != nil })
}

// wantsSlot reports whether the slot is to have a worker.
func (m *master) wantsSlot(slot pool.SlotID) bool {
	return int(slot) < m.gen.wanted || m.reload.next != nil && int(slot) < m.reload.next.wanted
}

// gone reports that no process of ours is left.
func (m *master) gone() bool {
	return m.stage == stopping && !slices.ContainsFunc(m.generations(), func(g *generation) bool { return !g.gone() })
}

// release gives back what Run took from the kernel. Every process is gone.
func (m *master) release() {
	m.stopListening()
	if err := m.admin.Close(); err != nil {
		m.log.Warn("listener not closed", "error", err)
	}
	m.store.close()
	if err := m.stored.Close(); err != nil {
		m.log.Warn("listener not closed", "error", err)
	}
	if m.plan != nil {
		m.closeDoor(m.plan.door)
		m.plan.pidFile.Remove()
	}
	m.voice.Close()
}
