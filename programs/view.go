package programs

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/metrics"
)

// useAdmin answers on the admin listener of the plan that is in force now.
func (m *master) useAdmin(s activation.Socket) {
	if err := m.admin.Use(s, m.inspect, m.log); err != nil {
		m.log.Error("admin listener cannot be used", "error", err)
	}
}

// dropAdmin closes the admin listener of a plan that will not be carried out.
func (m *master) dropAdmin(p *plan) {
	if err := m.admin.Drop(p.admin); err != nil {
		m.log.Warn("listener not closed", "listener", p.admin.Name, "error", err)
	}
	p.admin = activation.Socket{}
}

// inspect asks the loop for facts. Any goroutine but the loop's may call it.
func (m *master) inspect(ctx context.Context) (*metrics.Facts, error) {
	return m.lobby.Ask(ctx, m.put, func() *metrics.Facts { return m.view(time.Now()) })
}

// Metrics answers on the control socket as on the admin listener.
func (c *clerk) Metrics() http.Handler { return metrics.Exporter(c.m.inspect) }

// view is a copy of the state for those outside of the loop. What only programs know,
// their requests and clients, is left out.
func (m *master) view(now time.Time) *metrics.Facts {
	f := &metrics.Facts{
		At: now, Name: m.name(), Version: m.cfg.Version, PID: m.cfg.PID, Began: m.began, Stage: m.stage.String(), Words: m.words(),
		Program: slices.Clone(m.plan.argv), Ill: m.illness(), NotReady: m.unreadiness(),
		Generation: m.gen.number, Generations: len(m.generations()), Wanted: m.gen.wanted,
		Processes: []metrics.Process{{Role: "master", PID: m.cfg.PID}},
		Watchdog:  metrics.Watchdog{Interval: metrics.Seconds(m.voice.Watchdog()), Withheld: m.voice.Withheld() != ""},
	}
	m.tolls.Tell(f)
	for _, g := range m.generations() {
		for _, slot := range slices.Sorted(maps.Keys(g.workers)) {
			if w := g.workers[slot]; w.died.IsZero() {
				f.Workers = append(f.Workers, w.view())
			}
		}
	}
	return f
}

func (w *worker) view() metrics.Worker {
	v := metrics.Worker{
		Generation: w.gen.number, Slot: int(w.slot), PID: w.pid, Phase: w.phase.String(), Says: w.status, Busy: -1, BeatAge: -1, RequestAge: -1,
	}
	if w.watchdog > 0 {
		v.BeatAge = metrics.Seconds(max(monotonic()-w.beatAt(), 0))
	}
	return v
}

// illness is why systemd's watchdog would not be told that all is well; "" if it would.
// Nobody need watch.
func (m *master) illness() string {
	serves := func(g *generation) bool { return g.count().ready > 0 }
	if m.stage == serving && !serves(m.gen) && !slices.ContainsFunc(m.old, serves) {
		return "no program is ready"
	}
	return ""
}

// unreadiness is why the service should be sent no clients; "" if it should.
func (m *master) unreadiness() string {
	if m.stage != serving || m.farewell.Begun() {
		return m.words()
	}
	return m.illness()
}
