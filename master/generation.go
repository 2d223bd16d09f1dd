package master

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// forksAtOnce bounds the spawn orders in the mold's hands: each carries a
	// socket for every loop, and the kernel limits descriptors in flight to
	// RLIMIT_NOFILE. A fork takes milliseconds, so more would gain nothing.
	forksAtOnce = 8
	// firstWord is how long the first worker is alone at most. The loop comes by
	// again when it has said something, or with its next tick.
	firstWord = 20 * time.Millisecond
)

// generation is one mold with its workers and their lane, made from one reading
// of configuration and code. It is owned by the master's loop; only the
// functions it gives to its pool run elsewhere, and those only post facts and read
// the scoreboard.
type generation struct {
	number int
	plan   *plan
	gate   *gate // whose requests its workers take
	wanted int   // workers, with what TTIN and TTOU made of it
	scaler scaler
	before int // workers of the generation that it follows; -1 if it follows none

	lane   lane                   // shared by its sync and gthread workers
	own    bool                   // its workers may need lanes of their own
	course atomic.Pointer[course] // nil until a worker was ready
	fluid  bool                   // with reload its workers may become ones of another course
	board  *dispatch.Scoreboard
	pool   *pool.Pool
	mold   mold
	early  *child // has run the configuration file and becomes the mold

	post     func(fact)
	place    func(*worker) // gives a new worker its control group
	reopened time.Time     // when log files were opened anew last

	workers map[pool.SlotID]*worker
	queue   []*worker // not ordered yet, in the order in which they were wanted

	retire  context.CancelCauseFunc // ends the pool
	ended   bool                    // the pool has
	leaving bool                    // it is on its way out: nothing new is started for it
	spared  bool                    // its gateway sends it nothing any more
	endedAt time.Time               // when the pool had
	asked   int64                   // questions for the stacks of its workers
	strays  int                     // killed workers that the pool never had
	shown   bool                    // its gateway has its board
	strange bool                    // it was taken over from another version of the program
	modest  modesty
	keep
}

// newGeneration makes the lane and the pool. Nothing runs before start.
func newGeneration(number int, board *dispatch.Scoreboard, cfg pool.Config, post func(fact)) (*generation, error) {
	l, err := newLane(beatFor(cfg.Limits.Beat))
	if err != nil {
		return nil, err
	}
	g := &generation{number: number, lane: l, board: board, post: post, place: func(*worker) {}, workers: map[pool.SlotID]*worker{}}
	g.pool, err = pool.New(g.wire(cfg))
	if err != nil {
		l.close()
		return nil, fmt.Errorf("make the pool: %w", err)
	}
	return g, nil
}

// wire lets a pool speak to the generation.
func (g *generation) wire(cfg pool.Config) pool.Config {
	cfg.Spawn = func(slot pool.SlotID) { g.post(spawnWanted{g, slot}) }
	cfg.Changed = func(c pool.Change) { g.post(slotMoved{g, c}) }
	cfg.Activity = g.activity
	return cfg
}

// start lets the pool run. It is a context of its own and no child of the
// service's: the workers leave when the gateway is drained, not when the
// service is asked to stop.
func (g *generation) start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	g.retire = cancel
	go func() { g.post(poolEnded{g, g.pool.Run(ctx)}) }()
}

// want notes that the pool wants a process in slot. A repeated wish for one
// that is on its way changes nothing.
func (g *generation) want(slot pool.SlotID) {
	if w, there := g.workers[slot]; there && w.death == nil {
		return
	}
	w := &worker{gen: g, slot: slot}
	g.workers[slot] = w
	g.queue = append(g.queue, w)
}

// spawn hands the mold as many of the waiting orders as it may have at once.
func (g *generation) spawn(now time.Time) {
	for len(g.queue) > 0 && g.mold.able() && g.pending() < forksAtOnce && !g.opening(now) {
		w := g.queue[0]
		g.queue = g.queue[1:]
		if err := g.order(w, now, g.plan.loops()); err != nil {
			delete(g.workers, w.slot)
			g.pool.SpawnFailed(w.slot, err)
		}
	}
}

// opening reports that the first worker of a generation that was never ready is on its way to its first word, or has
// not had a moment for it. Clients wait for this one; the fork of the next would take the processor from it before it has begun.
func (g *generation) opening(now time.Time) bool {
	if g.course.Load() != nil {
		return false
	}
	for _, w := range g.workers {
		if !w.ordered.IsZero() && w.death == nil && w.stacks == nil && now.Sub(w.ordered) < firstWord {
			return true
		}
	}
	return false
}

// order tells the mold to fork w.
func (g *generation) order(w *worker, now time.Time, loops int) error {
	passed, err := w.equip(loops, g.own)
	if err != nil {
		return err
	}
	defer closeAll(w.notOurs(passed)) // the message carries its own references
	g.clear(w.slot)
	if err := g.mold.child.order(dispatch.Tuple{"spawn", int64(w.slot), g.own}, passed...); err != nil {
		w.release()
		return err
	}
	w.ordered = now
	w.begin(g.post)
	return nil
}

// forked notes that the worker exists, and passes on what it said before the
// mold did. A pool that has ended takes no workers any more.
func (g *generation) forked(w *worker, pid int) {
	if g.ended {
		g.forget(w)
		g.stray(pid)
		return
	}
	w.pid = pid
	g.place(w)
	g.pool.Spawned(w.slot, pid)
	if w.ordered.Before(g.reopened) { // it was forked from a mold with the old files
		g.pool.Signal(syscall.SIGUSR1)
	}
	if w.failure != nil {
		g.pool.Failed(w.slot, w.failure.cause())
	}
	if w.refused {
		g.pool.Dismiss(w.slot, pid, w.failure.cause())
	}
	if w.ready {
		g.pool.Ready(w.slot, pid)
	}
}

// stray kills a worker that nobody waits for: it would take requests from the
// lane and answer to nobody. That it was reaped is a fact.
func (g *generation) stray(pid int) {
	process, err := pool.Watch(pid)
	if err != nil {
		return // no child of ours any more
	}
	_ = process.Signal(syscall.SIGKILL) // if it fails, it has ended
	g.strays++
	go func() {
		<-process.Ended()
		g.post(strayEnded{g})
	}()
}

// adopt looks for a worker whose mold died before it could tell its number: it
// wrote the number to the scoreboard when it was forked. If it never existed,
// its report socket is at the end.
func (g *generation) adopt(w *worker) {
	if !w.orphaned || w.pid != 0 {
		return
	}
	row := g.board.Seat(int(w.slot), 0)
	if pid := row.PID(); pid != 0 && row.Generation() == uint64(g.number) {
		g.forked(w, pid)
		return
	}
	if w.silent {
		g.forget(w)
		g.pool.SpawnFailed(w.slot, fmt.Errorf("fork a worker for slot %d: the mold died", w.slot))
	}
}

// orphan marks the workers whose order died with the mold.
func (g *generation) orphan() {
	for _, w := range g.workers {
		if w.pending() {
			w.orphaned = true
			g.adopt(w)
		}
	}
}

// forget drops a worker that is no more, unless its slot has another by now.
func (g *generation) forget(w *worker) {
	w.release()
	if g.workers[w.slot] == w {
		delete(g.workers, w.slot)
	}
}

// held returns the ids of the requests that the slot's worker had in hand.
func (g *generation) held(slot pool.SlotID) (ids []uint64) {
	for _, r := range g.inHand(slot) {
		ids = append(ids, r.id)
	}
	return ids
}

// clear makes the rows of a slot ready for its next worker.
func (g *generation) clear(slot pool.SlotID) {
	for seat := range g.board.Seats() {
		g.board.Seat(int(slot), seat).Clear()
	}
}

// pending counts the orders in the mold's hands.
func (g *generation) pending() (n int) {
	for _, w := range g.workers {
		if w.pending() && !w.orphaned {
			n++
		}
	}
	return n
}

// unresolved reports that a process may exist, or come to be, of which the pool
// does not know.
func (g *generation) unresolved() bool {
	for _, w := range g.workers {
		if w.pending() {
			return true
		}
	}
	return g.strays > 0
}

// oldestOrder returns when the oldest unanswered spawn order was sent; zero if
// there is none.
func (g *generation) oldestOrder() (oldest time.Time) {
	for _, w := range g.workers {
		if w.pending() && !w.orphaned && (oldest.IsZero() || w.ordered.Before(oldest)) {
			oldest = w.ordered
		}
	}
	return oldest
}

// tally is how many workers stand where.
type tally struct{ starting, ready, occupied int }

func (g *generation) count() (t tally) {
	for _, w := range g.workers {
		switch w.phase {
		case pool.Vacant: // not forked yet
			continue
		case pool.Starting:
			t.starting++
		case pool.Idle, pool.Busy:
			t.ready++
		case pool.Draining, pool.Aborting, pool.Killed:
		}
		t.occupied++
	}
	return t
}

// gone reports that no process of the generation is left, but for its gateway.
func (g *generation) gone() bool {
	return g.ended && g.mold.child == nil && !g.unresolved()
}

// close gives back what it has of the kernel, once it is gone.
func (g *generation) close() {
	g.lane.close()
	g.lane = lane{-1, -1}
	_ = g.board.Close() // shared memory; nothing to flush
}
