package programs

import (
	"context"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
)

// clerk is the master as the control socket sees it. Its methods run on goroutines of
// the socket's clients and leave every look at the state to the loop.
type clerk struct {
	m      *master
	vitals desk.Vitals
}

// put gives the loop something to do in its turn.
func (m *master) put(do func()) { m.post(questionAsked{do}) }

// ask has the loop find an answer, and waits for it until ctx ends.
func ask[T any](ctx context.Context, m *master, find func() (T, error)) (T, error) {
	return desk.Ask(ctx, m.put, find)
}

// openDoor opens the control socket that a plan wants, unless it is open.
func (m *master) openDoor(ctx context.Context, p *plan) (err error) {
	keeper := desk.Doorkeeper{Env: m.env, PID: m.cfg.PID, Service: &clerk{m: m}, Log: m.log}
	var open *desk.Door
	if m.plan != nil {
		open = m.plan.door
	}
	p.door, err = keeper.Open(ctx, p.settings, open, m.plan == nil)
	return err
}

func (m *master) closeDoor(d *desk.Door) {
	if err := d.Close(); err != nil {
		m.log.Warn("control socket not closed", "error", err)
	}
}

// Status says what the service does. What only the pools and the kernel know is asked
// beside the loop.
func (c *clerk) Status(ctx context.Context) (control.Status, error) {
	m := c.m
	beside := desk.Beside{Pools: map[int]*pool.Pool{}, Parts: map[int]cgroup.Group{}}
	s, err := ask(ctx, m, func() (control.Status, error) {
		for _, g := range m.generations() {
			beside.Pools[g.number] = g.pool
			for _, w := range g.workers {
				if part, divided := m.parts.Part(w.part()); divided {
					beside.Parts[w.pid] = part
				}
			}
		}
		beside.Service, _ = m.parts.Service() // the zero value has no pressure
		return m.snapshot(), nil
	})
	if err == nil {
		c.vitals.Complete(&s, beside)
	}
	return s, err
}

// snapshot is what the loop knows by itself.
func (m *master) snapshot() control.Status {
	s := control.Status{
		Name: m.name(), Version: m.cfg.Version, PID: m.cfg.PID, Stage: m.stage.String(), Text: m.words(), Program: m.plan.argv,
		Since: m.began.Round(time.Millisecond), Generation: m.gen.number, Wanted: m.gen.wanted, LogLevel: m.cfg.Log.GetLevel().String(),
		Workers: []control.Worker{}, Deaths: slices.Clone(m.chronicle.Deaths),
	}
	for _, g := range m.generations() {
		for _, w := range g.workers {
			if w.died.IsZero() {
				s.Workers = append(s.Workers, w.describe())
			}
		}
	}
	slices.SortFunc(s.Workers, func(a, b control.Worker) int { return (a.Generation-b.Generation)*pool.MaxSize + a.Slot - b.Slot })
	if r, known := m.findReload(m.reloads.Latest()); known {
		s.Reload = &r
	}
	sockets := slices.Clone(m.plan.sockets)
	for _, slot := range slices.Sorted(maps.Keys(m.berths)) {
		sockets = append(sockets, m.berths[slot].sockets...)
	}
	if m.stage != stopping { // they are closed first of all
		s.Listeners = desk.Listeners(sockets, m.plan.settings.Backlog())
	}
	return s
}

// name is what a person calls the service.
func (m *master) name() string {
	if name := m.plan.settings.ProcName(); name != "" {
		return name
	}
	return filepath.Base(m.plan.path)
}

func (w *worker) describe() control.Worker {
	d := control.Worker{Slot: int(w.slot), Generation: w.gen.number, Phase: w.phase.String(), Status: w.status, Leaves: w.phase == pool.Draining}
	d.PID = w.pid
	return d
}

// errNoRequests says why there is no answer about them.
var errNoRequests = control.Errorf(http.StatusNotImplemented,
	"the workers of this service are programs that answer clients themselves; nothing of Indrik sees their requests. `indrik workers` tells what is known of them")

// errNoStacks likewise.
var errNoStacks = control.Errorf(http.StatusNotImplemented,
	"the workers of this service are programs, and only they know their stacks; ask one by its own means: `indrik workers` has its process number for py-spy, gdb or kill -QUIT")

// Requests is refused: programs hold them, and do not say.
func (c *clerk) Requests(context.Context, int) ([]control.Request, error) { return nil, errNoRequests }

// Stacks is refused likewise.
func (c *clerk) Stacks(context.Context, int) ([]control.Stacks, error) { return nil, errNoStacks }

// Events are the last ones, the oldest first.
func (c *clerk) Events(ctx context.Context) ([]control.Event, error) {
	return ask(ctx, c.m, func() ([]control.Event, error) {
		return append([]control.Event{}, c.m.chronicle.Events...), nil
	})
}
