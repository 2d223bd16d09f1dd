package master

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// announcements are what was written of lines about deaths.
type announcements [][]any

func (a *announcements) write(facts ...any) { *a = append(*a, facts) }

// The line waits for all that the gateway has to say, and not for ever.
func TestObituariesWaitForTheGateway(t *testing.T) {
	t.Parallel()
	held := func() []heldRequest {
		return []heldRequest{{id: 0x17, age: 2 * time.Second}, {id: 9, age: time.Second}}
	}
	for _, c := range []struct {
		name  string
		story func(o *obituaries)
		after time.Duration // in which it is written
		want  []any
	}{
		{
			"asked and answered", func(o *obituaries) {
				o.asked(7, 1)
				o.answered(7, 1, []heldRequest{{0x17, time.Minute, `GET "/buy"`}})
			}, 0, []any{"requests", 2, "held", `0x17 GET "/buy" (2s), 0x9 (1s)`},
		},
		{
			"two answers, and what the scoreboard did not say", func(o *obituaries) {
				o.asked(7, 2)
				o.answered(8, 0, nil)
				o.answered(7, 6, []heldRequest{{2, 5 * time.Second, `GET "/a"`}, {3, 4 * time.Second, `GET "/b"`}, {4, 3 * time.Second, `GET "/c"`}})
				o.answered(7, 1, []heldRequest{{9, 0, `POST "/d"`}})
			}, 0, []any{"requests", 7, "held", `0x2 GET "/a" (5s), 0x3 GET "/b" (4s), 0x4 GET "/c" (3s), 0x17 (2s)`},
		},
		{"nobody to ask", func(o *obituaries) { o.asked(7, 0) }, 0, []any{"requests", 2, "held", "0x17 (2s), 0x9 (1s)"}},
		{"no answer", func(o *obituaries) { o.asked(7, 1) }, obituaryLimit, []any{"requests", 2, "held", "0x17 (2s), 0x9 (1s)"}},
		{"the loop hangs", func(*obituaries) {}, obituaryLimit, []any{"requests", 2, "held", "0x17 (2s), 0x9 (1s)"}},
		{"the gateway dies", func(o *obituaries) { o.asked(7, 1); o.publishAll() }, 0, []any{"requests", 2, "held", "0x17 (2s), 0x9 (1s)"}},
		{"the number is given again", func(o *obituaries) { o.asked(7, 1); o.begin(7, nil, func(...any) {}) }, 0, []any{"requests", 2, "held", "0x17 (2s), 0x9 (1s)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var o obituaries
				var said announcements
				began := time.Now()
				written := obituaryLimit
				o.begin(7, held(), func(facts ...any) { said.write(facts...); written = time.Since(began) })
				c.story(&o)
				time.Sleep(2 * obituaryLimit)
				synctest.Wait()
				o.answered(7, 1, []heldRequest{{9, 0, "late"}})
				o.publishAll()
				if len(said) != 1 || !reflect.DeepEqual(said[0], c.want) || written != c.after {
					t.Errorf("written after %v: %v; want once, after %v, %v", written, said, c.after, c.want)
				}
			})
		})
	}
}

// A worker that held nothing has its line at once, unless only the gateway can know.
func TestObituariesOfTheIdle(t *testing.T) {
	t.Parallel()
	m, g := &master{}, newTestBoard(t)
	announce := m.announcer(&g)
	var said announcements
	announce(&pool.Death{PID: 5}, said.write)
	if len(said) != 0 || len(m.obituaries.open) != 1 {
		t.Errorf("a worker with a request: %v was written at once", said)
	}
	g.board.Seat(0, 0).End()
	announce(&pool.Death{PID: 6}, said.write)
	if want := fmt.Sprint(announcements{nil}); fmt.Sprint(said) != want {
		t.Errorf("an idle worker: %v was written, want %v", said, want)
	}
	g.course.Store(&course{own: true})
	announce(&pool.Death{PID: 7}, said.write)
	if len(said) != 1 {
		t.Errorf("one with a lane of its own: %v was written at once", said)
	}
	m.left(dispatch.Tuple{"left", int64(7), int64(0), dispatch.List{}})
	if fmt.Sprint(said) != fmt.Sprint(announcements{nil, nil}) {
		t.Errorf("it held nothing: %v was written", said[1:])
	}
	m.obituaries.publishAll()
}

// newTestBoard is a generation of one slot, whose worker holds a request.
func newTestBoard(t *testing.T) *generation {
	t.Helper()
	board, err := dispatch.NewScoreboard(1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = board.Close() }) // shared memory; nothing to flush
	board.Seat(0, 0).Begin(7, dispatch.Monotonic())
	return &generation{board: board}
}
