package desk

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/indrik/indrik/control"
)

// Ask has a loop find an answer, and waits for it until ctx ends. put gives the loop
// something to do in its turn, and does not wait; find is called on the loop's goroutine and
// must not wait either. A question whose client has gone is not put any more.
func Ask[T any](ctx context.Context, put func(func()), find func() (T, error)) (T, error) {
	type found struct {
		value T
		err   error
	}
	answer := make(chan found, 1)
	put(func() {
		if ctx.Err() != nil {
			return
		}
		value, err := find()
		answer <- found{value, err}
	})
	select {
	case a := <-answer:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("the master does not answer: %w", context.Cause(ctx))
	}
}

// ErrNoRollback refuses what only the master of Python workers does.
var ErrNoRollback = control.Errorf(http.StatusNotImplemented,
	"the generation before is not kept where the workers are programs; put the old version back where it was and reload")

// Await tells of a reload in the register of a loop; of one that is not over it waits
// for news, at most for wait. find looks it up, on the loop's goroutine.
func Await(ctx context.Context, put func(func()), r *Reloads, find func(id int64) (control.Reload, bool), id int64, wait time.Duration) (control.Reload, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for first := true; ; first = false {
		var news <-chan struct{}
		known, err := Ask(ctx, put, func() (control.Reload, error) {
			news = r.Next()
			found, known := find(id)
			if !known {
				return found, control.Errorf(http.StatusNotFound, "no reload %d is known; the last %d are", id, KeptReloads)
			}
			return found, nil
		})
		if err != nil || known.Over() || !first || wait == 0 {
			return known, err
		}
		select {
		case <-news:
		case <-over.C:
		case <-ctx.Done():
			return known, context.Cause(ctx)
		}
	}
}
