package master

import (
	"os"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// idleGeneration is a generation with a worker of slot 0 on order, whose mold
// and pool do not run.
func idleGeneration(t *testing.T) (*generation, *worker) {
	t.Helper()
	board, err := dispatch.NewScoreboard(1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = board.Close() })
	g, err := newGeneration(7, board, pool.Config{Size: 1}, func(fact) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.lane.close)
	g.want(0)
	w := g.workers[0]
	g.queue = nil
	w.ordered = time.Now()
	return g, w
}

// A mold that dies between fork and report leaves a worker that takes requests
// and of which nobody knows: it is found by what it wrote to the scoreboard.
func TestAdoptFindsTheWorkerOfADeadMold(t *testing.T) {
	g, w := idleGeneration(t)
	g.orphan()
	if !w.orphaned || w.pid != 0 {
		t.Fatalf("before the worker wrote: got %+v", w)
	}
	g.board.Seat(0, 0).Occupy(os.Getpid(), 6)
	if g.adopt(w); w.pid != 0 {
		t.Error("adopted what another generation's worker left in the row")
	}
	g.board.Seat(0, 0).Occupy(os.Getpid(), 7)
	if g.adopt(w); w.pid != os.Getpid() {
		t.Errorf("pid: got %d, want the one in the row", w.pid)
	}
	if !g.pool.Knows(os.Getpid()) {
		t.Error("the pool was not told")
	}
}

// If the mold died before it forked, the end of the report socket says so, and
// the slot must be free for the next.
func TestAdoptGivesUpAWorkerThatNeverWas(t *testing.T) {
	g, w := idleGeneration(t)
	g.orphan()
	w.silent = true
	g.adopt(w)
	if len(g.workers) != 0 {
		t.Errorf("got %v, want no worker", g.workers)
	}
	if g.want(0); g.workers[0] == w || len(g.queue) != 1 {
		t.Error("the slot did not get another")
	}
}

// Repeated wishes must not make two workers for one slot.
func TestWantIsIdempotent(t *testing.T) {
	g, w := idleGeneration(t)
	g.want(0)
	if g.workers[0] != w || len(g.queue) != 0 {
		t.Error("a second wish changed the order that is on its way")
	}
}

// A master that was stopped itself must not blame the others for its own
// silence.
func TestNoticeSeesThatWeWereStopped(t *testing.T) {
	m := &master{log: hclog.NewNullLogger()}
	now := time.Now()
	for range 3 {
		m.notice(now)
		now = now.Add(m.period())
	}
	if !m.awake.IsZero() {
		t.Error("a regular tick counts as a stop")
	}
	now = now.Add(time.Minute)
	m.notice(now)
	if !m.awake.Equal(now) {
		t.Errorf("awake: got %v, want %v", m.awake, now)
	}
}

// The first worker is what clients wait for: no other is forked before it has begun, unless it keeps silent for longer
// than that takes. Once one was ready, nobody waits for anybody.
func TestTheFirstWorkerBeginsAlone(t *testing.T) {
	g, w := idleGeneration(t)
	now := w.ordered
	if !g.opening(now.Add(firstWord - 1)) {
		t.Error("another may be forked before the first has said a word")
	}
	if g.opening(now.Add(firstWord)) {
		t.Error("a first worker that is silent keeps the others from being forked")
	}
	w.stacks = &stackFile{}
	if g.opening(now) {
		t.Error("others wait although the first has begun")
	}
	w.stacks = nil
	g.course.Store(&course{iface: "wsgi", seats: 1})
	if g.opening(now) {
		t.Error("workers wait for each other although one of them was ready before")
	}
}
