package gateway

import (
	"fmt"
	"sync/atomic"

	"github.com/indrik/indrik/dispatch"
)

// openBoard maps the scoreboard of a generation and shows it to the loops.
func (g *gateway) openBoard(o *order, fds []int) error {
	generation := o.number(1)
	if o.bad || len(fds) != 1 || g.boards[generation] != nil {
		return fmt.Errorf("%w: board", errOrder)
	}
	board, err := dispatch.OpenScoreboard(fds[0])
	if err != nil {
		return fmt.Errorf("open the scoreboard of generation %d: %w", generation, err)
	}
	if g.boards == nil {
		g.boards = map[int]*dispatch.Scoreboard{}
	}
	g.boards[generation] = board
	for _, l := range g.loops {
		l.post(func(l *loop) { l.boards[generation] = board })
	}
	return nil
}

// forget unmaps the scoreboard of a generation once no loop looks at it any more.
func (g *gateway) forget(o *order) error {
	generation := o.number(1)
	board := g.boards[generation]
	if o.bad || board == nil {
		return fmt.Errorf("%w: forget", errOrder)
	}
	delete(g.boards, generation)
	forgotten := g.afterAll(func() { _ = board.Close() }) // shared memory; nothing to flush
	for _, l := range g.loops {
		if !l.post(func(l *loop) { delete(l.boards, generation); forgotten() }) {
			forgotten() // that loop has ended, and looks at nothing
		}
	}
	return nil
}

// tellMoved tells the master that nothing goes to the generation before any more.
// It runs on a loop, which must not wait for the master.
func (g *gateway) tellMoved(before, now int) {
	if before != 0 && before != now {
		go func() { _ = g.channel.Send(dispatch.Tuple{FactMoved, int64(before)}) }() // the master may be gone
	}
}

// afterAll returns a function that each loop calls once, on its own goroutine; the
// last call calls f.
func (g *gateway) afterAll(f func()) func() {
	left := new(atomic.Int64)
	left.Store(int64(len(g.loops)))
	return func() {
		if left.Add(-1) == 0 {
			f()
		}
	}
}
