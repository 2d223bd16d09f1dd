package master

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// What a worker says when it is ready must be understood to the letter: the
// gateway writes requests by it.
func TestReadyIsRead(t *testing.T) {
	for _, c := range []struct {
		msg  dispatch.Tuple
		want course
		fine bool
	}{
		{dispatch.Tuple{"ready", "wsgi", int64(1), false}, course{"wsgi", 1, false}, true},
		{dispatch.Tuple{"ready", "asgi", int64(1000), true}, course{"asgi", 1000, true}, true},
		{dispatch.Tuple{"ready"}, course{}, false},
		{dispatch.Tuple{"ready", "wsgi", int64(0), false}, course{}, false},
		{dispatch.Tuple{"ready", "cgi", int64(1), false}, course{}, false},
		{dispatch.Tuple{"ready", "wsgi", int64(1), int64(1)}, course{}, false},
	} {
		got, err := readCourse(c.msg)
		if (err == nil) != c.fine || c.fine && got != c.want {
			t.Errorf("%v: got %+v, %v", c.msg, got, err)
		}
	}
}

// Workers of one generation that take requests in two ways cannot be served by
// one gateway: the second must not come up, and its log must say why.
func TestWorkersOfAGenerationAgree(t *testing.T) {
	g, _ := idleGeneration(t)
	first := course{"wsgi", 1, false}
	if err := g.agree(first, false); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		says     course
		equipped bool
		reason   string
	}{
		"the same":           {first, true, ""},
		"another interface":  {course{"asgi", 1000, true}, true, "reload the service"},
		"more seats":         {course{"wsgi", 2, false}, false, "scoreboard"},
		"a lane that is not": {course{"asgi", 1000, true}, false, "has none"},
	} {
		err := g.agree(c.says, c.equipped)
		if (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.reason)
		}
	}
	if got := *g.course.Load(); got != first {
		t.Errorf("the course became %v", got)
	}
}

// While somebody develops it, an application may turn from WSGI into ASGI, or
// into the page with the traceback and back: the workers follow it.
func TestWorkersThatReloadMayChangeTheirCourse(t *testing.T) {
	g, _ := idleGeneration(t)
	g.fluid = true
	for _, c := range []course{{"wsgi", 1, false}, {"asgi", 1000, true}, {"wsgi", 1, false}} {
		if err := g.agree(c, true); err != nil {
			t.Fatal(err)
		}
		if got := *g.course.Load(); got != c {
			t.Errorf("the course is %v, want %v", got, c)
		}
	}
	if err := g.agree(course{"wsgi", 9, false}, true); err == nil {
		t.Error("a worker may have more seats than the scoreboard shows")
	}
}

// Of a sync worker a request bounds the life, of one that takes several only
// its silence.
func TestActivityIsThatOfTheClass(t *testing.T) {
	for name, c := range map[string]struct {
		course course
		write  func(seat func(int) *dispatch.SeatRow)
		want   pool.Activity
	}{
		"sync at work": {course{"wsgi", 1, false}, func(seat func(int) *dispatch.SeatRow) {
			seat(0).SetBeat(50)
			seat(0).Begin(7, 40)
		}, pool.Activity{Beat: 50, Busy: true, Since: 40}},
		"gthread, one of two threads at work": {course{"wsgi", 2, false}, func(seat func(int) *dispatch.SeatRow) {
			seat(0).SetLife(90)
			seat(0).SetBeat(50)
			seat(1).Begin(7, 40)
		}, pool.Activity{Beat: 90, Busy: true, Since: 40, Concurrent: true}},
		"gthread of one thread": {course{"wsgi", 1, false}, func(seat func(int) *dispatch.SeatRow) {
			seat(0).SetLife(90)
			seat(0).Begin(7, 40)
		}, pool.Activity{Beat: 90, Busy: true, Since: 40, Concurrent: true}},
		"asgi": {course{"asgi", 1000, true}, func(seat func(int) *dispatch.SeatRow) { seat(0).SetBeat(50) },
			pool.Activity{Beat: 50, Concurrent: true}},
		"sync that leaves": {course{"wsgi", 1, false}, func(seat func(int) *dispatch.SeatRow) { seat(0).SetLeaving() },
			pool.Activity{Leaving: true, Why: "SIGTERM"}},
	} {
		board, err := dispatch.NewScoreboard(1, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		g := &generation{board: board}
		g.course.Store(&c.course)
		c.write(func(n int) *dispatch.SeatRow { return board.Seat(1, n) })
		if got := g.activity(1); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		g.clear(1)
		if got := g.activity(1); got.Busy || got.Leaving || got.Beat != 0 {
			t.Errorf("%s: the next worker inherits %+v", name, got)
		}
		_ = board.Close()
	}
}

// What a gateway left in any lane when it died would be answered to nobody.
func TestLanesOfTheirOwnAreClearedToo(t *testing.T) {
	g, w := idleGeneration(t)
	theirs, err := w.equip(1, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(w.notOurs(theirs))
	defer w.release()
	for _, fd := range []int{g.lane.gateway, w.own.gateway} {
		if _, err := unix.Write(fd, []byte("request")); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.clearLanes(); n != 2 {
		t.Errorf("%d stale requests, want 2", n)
	}
}

// The end of its lane is what makes such a worker leave; the master must not be
// the one who keeps it open.
func TestAWorkerIsReleasedByTheEndOfItsLane(t *testing.T) {
	g, w := idleGeneration(t)
	theirs, err := w.equip(1, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(w.notOurs(theirs))
	defer w.release()
	if err := unix.SetsockoptTimeval(w.own.workers, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	g.gate = &gate{}
	m := &master{gen: g}
	m.releaseOwn(w)
	m.releaseOwn(w) // a second word changes nothing
	if n, err := unix.Read(w.own.workers, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("read from the lane: %d, %v; want its end", n, err)
	}
	if w.phase = pool.Draining; w.canJoin() {
		t.Error("a gateway would be told of a worker that takes nothing any more")
	}
}
