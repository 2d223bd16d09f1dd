package programs

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
)

// asOrdered is who wanted something, in the log, if it came by the control socket.
const asOrdered = "control socket"

// errIsStopping refuses what would come to nothing.
var errIsStopping = control.Errorf(http.StatusConflict, "the service is stopping")

// Reload asks for a reload and gives its number.
func (c *clerk) Reload(ctx context.Context) (control.Reload, error) {
	return ask(ctx, c.m, func() (control.Reload, error) {
		if c.m.stage == stopping || c.m.farewell.Begun() {
			return control.Reload{}, errIsStopping
		}
		return c.m.askReload(asOrdered), nil
	})
}

// Outcome tells of a reload; of one that is not over it waits for news.
func (c *clerk) Outcome(ctx context.Context, id int64, wait time.Duration) (control.Reload, error) {
	return desk.Await(ctx, c.m.put, &c.m.reloads, c.m.findReload, id, wait)
}

// Rollback is refused: the generation before is not kept.
func (c *clerk) Rollback(context.Context) (control.Reload, error) {
	return control.Reload{}, desk.ErrNoRollback
}

// Scale changes the number of workers.
func (c *clerk) Scale(ctx context.Context, workers control.Amount) (control.Scaled, error) {
	return ask(ctx, c.m, func() (control.Scaled, error) {
		m := c.m
		if m.stage == stopping {
			return control.Scaled{}, errIsStopping
		}
		from := m.target().wanted
		to := workers.Of(from)
		if to < 1 || to > pool.MaxSize {
			return control.Scaled{}, control.Errorf(http.StatusBadRequest, "%d workers: a service can have from 1 to %d", to, pool.MaxSize)
		}
		if to != from {
			m.resize(to, asOrdered)
		}
		return control.Scaled{From: from, To: to}, nil
	})
}

// Recycle has the program of a slot replaced, or all that serve, one after the other:
// each leaves when its successor is ready.
//
// With a listener for each slot the successor must come into the same one, so that the
// one before leaves first; who waits in the listener is served by the next.
func (c *clerk) Recycle(ctx context.Context, slot int) (control.Recycled, error) {
	return ask(ctx, c.m, func() (control.Recycled, error) {
		m, g, answer := c.m, c.m.gen, control.Recycled{}
		single := g.plan.settings.ExecPerWorker()
		switch {
		case m.stage == stopping:
			return answer, errIsStopping
		case single && slot < 0:
			return answer, control.Errorf(http.StatusConflict, "with per-worker all would leave at the same time; recycle one slot after the other, or reload")
		}
		for _, w := range g.workers {
			if serves := w.phase == pool.Idle || w.phase == pool.Busy; !serves || slot >= 0 && int(w.slot) != slot {
				continue
			}
			answer.Slots = append(answer.Slots, int(w.slot))
			if single {
				g.pool.RetireFor(w.slot, w.pid, asOrdered)
			} else {
				g.pool.Replace(w.slot, w.pid, asOrdered)
			}
		}
		if len(answer.Slots) == 0 && slot >= 0 {
			return answer, control.Errorf(http.StatusNotFound, "no worker is in slot %d, or it does not serve", slot)
		}
		slices.Sort(answer.Slots)
		m.log.Info("recycling", "gen", g.number, "slots", answer.Slots)
		m.chronicle.Note(control.Event{What: "recycling", Generation: g.number})
		return answer, nil
	})
}

// LogLevel changes what the master logs, perhaps for a time.
func (c *clerk) LogLevel(ctx context.Context, wish control.Level) (control.Level, error) {
	return ask(ctx, c.m, func() (control.Level, error) { return c.m.levels.Change(c.m.cfg.Log, wish, c.m.put) })
}

// Stop is as TERM.
func (c *clerk) Stop(ctx context.Context) error {
	_, err := ask(ctx, c.m, func() (struct{}, error) {
		c.m.askStop(asOrdered)
		return struct{}{}, nil
	})
	return err
}
