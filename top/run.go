package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/indrik/indrik/control"
)

// Limits of what one question may take: a service whose master is stopped answers none.
const (
	lookLimit  = 5 * time.Second
	orderLimit = 15 * time.Second

	extraLook  = 2 * time.Second
	againAfter = 200 * time.Millisecond
)

// errHungUp reports a terminal that is gone.
var errHungUp = errors.New("the terminal is gone")

// Config is what to show and where.
type Config struct {
	Client  *control.Client
	In, Out *os.File // the terminal
	// Signals are those after which the terminal is another: SIGWINCH, SIGCONT.
	Signals  <-chan os.Signal
	Interval time.Duration // between two looks
	Colours  bool
}

// Look asks twice, with an interval between, so that there are rates. If the kernel was
// not asked for processor times in between, it asks again, for at most two seconds more.
// Its error is that of the client or of ctx.
func Look(ctx context.Context, client *control.Client, interval time.Duration) (View, error) {
	var before past
	v, err := before.ask(ctx, client)
	until := time.Now().Add(interval + extraLook)
	for pause := interval; err == nil; pause = againAfter {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return v, ctx.Err()
		}
		after := before
		v, err = after.ask(ctx, client)
		if v.complete() || time.Now().After(until) {
			break
		}
	}
	return v, err
}

// ask makes a view of the service as it is now.
func (p *past) ask(ctx context.Context, client *control.Client) (View, error) {
	s, at, err := status(ctx, client)
	if err != nil {
		return View{}, err
	}
	return p.look(at, s), nil
}

func status(ctx context.Context, client *control.Client) (s control.Status, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	err = client.Get(ctx, "status", &s)
	return s, time.Now(), err
}

// Run shows the service until somebody presses q or Ctrl-C, ctx ends, or the terminal is
// gone, which alone is an error then. A service that does not answer at the beginning is
// an error too: the client's.
func Run(ctx context.Context, c Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &board{Config: c, terminal: terminal{in: c.In, out: c.Out}, answers: make(chan answer, 4)}
	s, at, err := status(ctx, c.Client)
	if err != nil {
		return err
	}
	t.view = t.past.look(at, s)
	if err := t.terminal.enter(); err != nil {
		return err
	}
	defer t.terminal.leave()
	keys := make(chan key)
	reads := make(chan struct{})
	go func() {
		defer close(reads)
		read(ctx, c.In, keys)
	}()
	defer func() { cancel(); <-reads }()
	return t.run(ctx, keys)
}

// run is the loop.
func (t *board) run(ctx context.Context, keys <-chan key) error {
	clock := time.NewTicker(t.Interval)
	defer clock.Stop()
	for {
		if err := t.draw(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case k, more := <-keys:
			if !more {
				return errHungUp
			}
			t.resume()
			if t.pressed(ctx, k) {
				return nil
			}
		case s := <-t.Signals:
			if s == syscall.SIGCONT {
				t.away = true // whoever had the terminal meanwhile left it in a mode of their own
			}
			t.resume()
		case a := <-t.answers:
			a(t)
		case <-clock.C:
			t.look(ctx)
		}
	}
}

// answer is what came of a question; the loop calls it.
type answer func(*board)

// look asks for the status, unless that is being done.
func (t *board) look(ctx context.Context) {
	if t.looking {
		return
	}
	t.looking = true
	t.ask(ctx, lookLimit, func(ctx context.Context) answer {
		s, at, err := status(ctx, t.Client)
		return func(t *board) {
			t.looking = false
			if t.lost = err; err == nil {
				t.view = t.past.look(at, s)
			}
		}
	})
}

// ask puts a question beside the loop.
func (t *board) ask(ctx context.Context, limit time.Duration, f func(context.Context) answer) {
	go func() {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		a := f(limited)
		select {
		case t.answers <- a:
		case <-ctx.Done():
		}
	}()
}

// command has the service do something, and says what came of it.
func command[T any](ctx context.Context, t *board, path string, wish any, said func(T) string) {
	if t.ordering {
		return // one after the other: a key that is held down is no hundred orders
	}
	t.ordering = true
	t.ask(ctx, orderLimit, func(ctx context.Context) answer {
		var found T
		err := t.Client.Post(ctx, path, wish, &found)
		return func(t *board) {
			t.ordering = false
			if err != nil {
				t.say(red, "%s: %v", path, err)
				return
			}
			t.say(plain, "%s", said(found))
		}
	})
}

// askStacks asks what the chosen worker is doing.
func (t *board) askStacks(ctx context.Context) {
	chosen, found := t.chosen()
	if !found {
		return
	}
	t.page = &page{title: fmt.Sprintf("slot %d, pid %d", chosen.Slot, chosen.PID), lines: []string{"asking …"}}
	t.ask(ctx, orderLimit, func(ctx context.Context) answer {
		var all []control.Stacks
		err := t.Client.Get(ctx, fmt.Sprintf("stacks?slot=%d", chosen.Slot), &all)
		return func(t *board) {
			if t.page != nil {
				t.page.show(all, err)
			}
		}
	})
}
