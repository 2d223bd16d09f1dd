package master

import (
	"context"
	"net/http"
	"slices"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/pool"
)

// Recycle has the pool replace the worker of a slot, or all that serve, one after the
// other: each leaves when its successor is ready.
func (c *clerk) Recycle(ctx context.Context, slot int) (control.Recycled, error) {
	return ask(ctx, c.m, func() (control.Recycled, error) {
		g, answer := c.m.gen, control.Recycled{}
		if c.m.stage == stopping {
			return answer, errStopping
		}
		for _, w := range g.workers {
			if serves := w.phase == pool.Idle || w.phase == pool.Busy; serves && (slot < 0 || int(w.slot) == slot) {
				answer.Slots = append(answer.Slots, int(w.slot))
				g.pool.Replace(w.slot, w.pid, "control socket")
			}
		}
		if len(answer.Slots) == 0 && slot >= 0 {
			return answer, control.Errorf(http.StatusNotFound, "no worker is in slot %d, or it does not serve", slot)
		}
		slices.Sort(answer.Slots)
		c.m.log.Info("recycling", "gen", g.number, "slots", answer.Slots)
		c.m.chronicle.Note(control.Event{What: "recycling", Generation: g.number})
		return answer, nil
	})
}
