package master

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
)

var (
	errStopping = control.Errorf(http.StatusConflict, "the service is stopping")
	errStopped  = errors.New("the service was told to stop")
)

// Reload asks for a reload and gives its number.
func (c *clerk) Reload(ctx context.Context) (control.Reload, error) {
	return ask(ctx, c.m, func() (control.Reload, error) {
		if c.m.stage == stopping || c.m.farewell.Begun() {
			return control.Reload{}, errStopping
		}
		return c.m.askReload("control socket"), nil
	})
}

// Outcome tells of a reload; of one that is not over it waits for news.
func (c *clerk) Outcome(ctx context.Context, id int64, wait time.Duration) (control.Reload, error) {
	return desk.Await(ctx, c.m.put, &c.m.reloads, c.m.findReload, id, wait)
}

// Rollback asks for the return to the generation before, and gives its number.
func (c *clerk) Rollback(ctx context.Context) (control.Reload, error) {
	return ask(ctx, c.m, c.m.askRollback)
}

// Scale changes the number of workers.
func (c *clerk) Scale(ctx context.Context, workers control.Amount) (control.Scaled, error) {
	return ask(ctx, c.m, func() (control.Scaled, error) {
		m := c.m
		if m.stage == stopping {
			return control.Scaled{}, errStopping
		}
		from := m.gen.wanted
		to := workers.Of(from)
		if b := m.gen.limits(); to < b.min || to > b.max {
			return control.Scaled{}, control.Errorf(http.StatusBadRequest,
				"%d workers: this service can have from %d to %d until its settings are changed and it is reloaded", to, b.min, b.max)
		}
		if to != from {
			m.resize(to, "control socket")
		}
		return control.Scaled{From: from, To: to}, nil
	})
}

// Stop is as TERM.
func (c *clerk) Stop(ctx context.Context) error {
	_, err := ask(ctx, c.m, func() (struct{}, error) {
		c.m.askStop("control socket")
		return struct{}{}, nil
	})
	return err
}

// Events are the last ones, the oldest first.
func (c *clerk) Events(ctx context.Context) ([]control.Event, error) {
	return ask(ctx, c.m, func() ([]control.Event, error) {
		return append([]control.Event{}, c.m.chronicle.Events...), nil
	})
}

// Stacks asks workers what they are doing, all at the same time.
func (c *clerk) Stacks(ctx context.Context, slot int) ([]control.Stacks, error) {
	var mu sync.Mutex
	var all []control.Stacks
	var waiting sync.WaitGroup
	_, err := ask(ctx, c.m, func() (struct{}, error) {
		for _, g := range c.m.generations() {
			for _, w := range g.workers {
				if w.pid == 0 || slot >= 0 && int(w.slot) != slot {
					continue
				}
				s := control.Stacks{Slot: int(w.slot), Generation: g.number, PID: w.pid, Phase: w.phase.String()}
				waiting.Add(1)
				g.stacks(w.slot, func(text string, err error) {
					defer waiting.Done()
					s.Text = text
					if err != nil {
						s.Error = err.Error()
					}
					mu.Lock()
					defer mu.Unlock()
					all = append(all, s)
				})
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return nil, err
	}
	taken := make(chan struct{})
	go func() { waiting.Wait(); close(taken) }()
	select {
	case <-taken:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if len(all) == 0 {
		return nil, control.Errorf(http.StatusNotFound, "no worker is in slot %d", slot)
	}
	slices.SortFunc(all, func(a, b control.Stacks) int { return (a.Generation-b.Generation)*pool.MaxSize + a.Slot - b.Slot })
	return all, nil
}

// LogLevel changes what master and gateway log, perhaps for a time.
func (c *clerk) LogLevel(ctx context.Context, wish control.Level) (control.Level, error) {
	return ask(ctx, c.m, func() (control.Level, error) { return c.m.levels.Change(c.m.cfg.Log, wish, c.m.put) })
}
