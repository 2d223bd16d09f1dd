package master

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/pool"
)

var (
	errStopping = control.Errorf(http.StatusConflict, "the service is stopping")
	errStopped  = errors.New("the service was told to stop")
)

// Reload asks for a reload and gives its number.
func (d *desk) Reload(ctx context.Context) (control.Reload, error) {
	return ask(ctx, d.m, func() (control.Reload, error) {
		if d.m.stage == stopping || d.m.farewell.begun() {
			return control.Reload{}, errStopping
		}
		return d.m.askReload("control socket"), nil
	})
}

// Outcome tells of a reload; of one that is not over it waits for news.
func (d *desk) Outcome(ctx context.Context, id int64, wait time.Duration) (control.Reload, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for first := true; ; first = false {
		var news <-chan struct{}
		r, err := ask(ctx, d.m, func() (control.Reload, error) {
			news = d.m.reloads.next()
			r, known := d.m.findReload(id)
			if !known {
				return r, control.Errorf(http.StatusNotFound, "no reload %d is known; the last %d are", id, keptReloads)
			}
			return r, nil
		})
		if err != nil || r.Over() || !first || wait == 0 {
			return r, err
		}
		select {
		case <-news:
		case <-over.C:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}

// Rollback is refused: the generation before is not kept in this version.
func (d *desk) Rollback(context.Context) (control.Reload, error) {
	return control.Reload{}, control.Errorf(http.StatusNotImplemented,
		"the generation before is not kept in this version; put the old version back where it was and reload")
}

// Scale changes the number of workers.
func (d *desk) Scale(ctx context.Context, workers control.Amount) (control.Scaled, error) {
	return ask(ctx, d.m, func() (control.Scaled, error) {
		m := d.m
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
func (d *desk) Stop(ctx context.Context) error {
	_, err := ask(ctx, d.m, func() (struct{}, error) {
		d.m.askStop("control socket")
		return struct{}{}, nil
	})
	return err
}

// Events are the last ones, the oldest first.
func (d *desk) Events(ctx context.Context) ([]control.Event, error) {
	return ask(ctx, d.m, func() ([]control.Event, error) {
		return append([]control.Event{}, d.m.chronicle.events...), nil
	})
}

// Stacks asks workers what they are doing, all at the same time.
func (d *desk) Stacks(ctx context.Context, slot int) ([]control.Stacks, error) {
	var mu sync.Mutex
	var all []control.Stacks
	var waiting sync.WaitGroup
	_, err := ask(ctx, d.m, func() (struct{}, error) {
		for _, g := range d.m.generations() {
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

// LogLevel changes what the master logs, perhaps for a time.
func (d *desk) LogLevel(ctx context.Context, wish control.Level) (control.Level, error) {
	level := map[string]hclog.Level{
		"trace": hclog.Trace, "debug": hclog.Debug, "info": hclog.Info, "warning": hclog.Warn, "error": hclog.Error,
	}[wish.Level]
	if level == hclog.NoLevel {
		return wish, control.Errorf(http.StatusBadRequest, "log level %q: there are trace, debug, info, warning and error", wish.Level)
	}
	return ask(ctx, d.m, func() (control.Level, error) {
		m := d.m
		m.levels++ // a later wish makes an earlier one's end void
		this, before := m.levels, m.cfg.Log.GetLevel()
		if m.usualLevel == hclog.NoLevel {
			m.usualLevel = before
		}
		m.cfg.Log.SetLevel(level)
		m.log.Info("log level changed", "from", before, "to", level, "for", wish.Seconds)
		if wish.Seconds == 0 {
			m.usualLevel = level
			return wish, nil
		}
		time.AfterFunc(time.Duration(wish.Seconds*float64(time.Second)), func() {
			m.facts.post(questionAsked{func() {
				if m.levels == this {
					m.cfg.Log.SetLevel(m.usualLevel)
				}
			}})
		})
		return wish, nil
	})
}
