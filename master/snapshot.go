package master

import (
	"context"
	"slices"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
)

// Status says what the service does. What only the pools and the kernel know is asked
// beside the loop.
func (c *clerk) Status(ctx context.Context) (control.Status, error) {
	m := c.m
	beside := desk.Beside{Pools: map[int]*pool.Pool{}, Parts: map[int]cgroup.Group{}}
	var questions []*question
	s, err := ask(ctx, m, func() (control.Status, error) {
		questions = m.inquireFor()
		for _, g := range m.generations() {
			beside.Pools[g.number] = g.pool
			for _, w := range g.workers {
				if part, divided := m.parts.Part(w.part()); divided && w.pid != 0 {
					beside.Parts[w.pid] = part
				}
			}
		}
		beside.Service, _ = m.parts.Service() // the zero value has no pressure
		return m.snapshot(), nil
	})
	if err == nil {
		c.vitals.Complete(&s, beside)
		found, loads := await(ctx, questions, statusPatience)
		assign(&s, found, loads)
	}
	return s, err
}

// snapshot is what the loop knows by itself.
func (m *master) snapshot() control.Status {
	s := control.Status{
		Name: m.name(), Version: m.cfg.Version, PID: m.cfg.PID, Stage: m.stage.String(), Text: m.words(),
		Since: m.began.Round(time.Millisecond), Generation: m.gen.number, Wanted: m.gen.wanted, LogLevel: m.cfg.Log.GetLevel().String(),
		Gateway: m.gen.gate.count(), Totals: m.totals(), Workers: []control.Worker{}, Deaths: slices.Clone(m.chronicle.Deaths),
	}
	if c := m.gen.mold.child; c != nil {
		s.Mold.PID = c.pid
	}
	for _, g := range m.generations() {
		for _, w := range g.workers {
			if w.pid != 0 {
				s.Workers = append(s.Workers, describeWorker(w))
			}
		}
	}
	slices.SortFunc(s.Workers, func(a, b control.Worker) int { return (a.Generation-b.Generation)*pool.MaxSize + a.Slot - b.Slot })
	if r, known := m.findReload(m.reloads.Latest()); known {
		s.Reload = &r
	}
	s.Kept = m.describeKept()
	s.Listeners = desk.Listeners(m.sockets, m.plan.settings.Backlog())
	return s
}

// name is what a person calls the service.
func (m *master) name() string {
	if name := m.plan.settings.ProcName(); name != "" {
		return name
	}
	return m.app(m.plan)
}

// count adds up what the loops of a gateway have written.
func (gt *gate) count() (c control.Gateway) {
	if gt.child != nil {
		c.PID = gt.child.pid
	}
	var oldest int64
	for i := range gt.board.Loops() {
		row := gt.board.Loop(i)
		c.Connections += row.Connections()
		c.Queued += row.Queued()
		c.Dispatched += row.Dispatched()
		c.Answered += row.Answered()
		c.Accepted += row.Accepted()
		if since := row.Oldest(); since != 0 && (oldest == 0 || since < oldest) {
			oldest = since
		}
	}
	if oldest != 0 {
		c.Oldest = age(oldest)
	}
	return c
}

// totals are what all gateways have counted.
func (m *master) totals() control.Totals {
	f := m.figures()
	t := control.Totals{Received: f.Received, Sent: f.Sent, Latency: control.Histogram{Counts: slices.Clone(f.Latency.Buckets[:])}}
	for _, bound := range gateway.Bounds() {
		t.Latency.Bounds = append(t.Latency.Bounds, bound.Seconds())
	}
	for _, classes := range f.Requests {
		for i, n := range classes {
			if t.Answered += n; i == 4 {
				t.Failed += n
			}
		}
	}
	return t
}

// age is how long ago an instant of the scoreboard was, in seconds.
func age(since int64) float64 {
	return max(time.Duration(dispatch.Monotonic()-since), 0).Round(time.Millisecond).Seconds()
}

// describeWorker reads the rows of a worker's seats.
func describeWorker(w *worker) control.Worker {
	d := control.Worker{
		Slot: int(w.slot), Generation: w.gen.number, Phase: w.phase.String(), Seats: 1,
		Leaves: w.released || w.phase == pool.Draining,
	}
	d.PID = w.pid
	switch {
	case w.frozen:
		d.Phase = "frozen"
	case w.gen.parked && w.idle():
		d.Phase = "parked"
	}
	if c := w.gen.course.Load(); c != nil {
		d.Seats = c.seats
	}
	for seat := range w.gen.board.Seats() {
		row := w.gen.board.Seat(int(w.slot), seat)
		d.Answered += row.Answered()
		if id, _ := row.Request(); id != 0 {
			d.Busy++
		}
	}
	if id, start, seat := w.oldest(); id != 0 {
		r := w.holding(id, start, seat)
		d.Request, d.Oldest = &r, r.Age
	}
	return d
}
