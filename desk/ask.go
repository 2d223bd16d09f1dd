package desk

import (
	"context"
	"fmt"
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
