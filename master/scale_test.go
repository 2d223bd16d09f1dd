package master

import (
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/settings"
)

// watch lets a scaler look every 200 ms at loads that last for a while, and notes
// what it decides. The number of workers follows at once.
type watch struct {
	scaler scaler
	rules  scaleRules
	now    time.Time
	wanted int
	why    []string
}

func newWatch(wanted int) *watch {
	return &watch{
		rules:  scaleRules{bounds: bounds{1, 8}, wait: 100 * time.Millisecond, idle: 10 * time.Second, pressure: 60},
		now:    time.Unix(1_000_000, 0),
		wanted: wanted,
	}
}

func (w *watch) see(l load, d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(200 * time.Millisecond)
		l.now, l.wanted, l.seats = w.now, w.wanted, max(l.seats, 1)
		if l.ready == 0 {
			l.ready = w.wanted
		}
		was := l.ready == w.wanted
		n, why := w.scaler.look(l, w.rules)
		if why != "" {
			w.why = append(w.why, why)
		}
		w.wanted = n
		if was {
			l.ready = n
		}
	}
}

// Each row is a way in which a service could have too many or too few workers, or
// flap between the two.
func TestTheNumberOfWorkersFollowsTheLoad(t *testing.T) {
	late := load{waited: 300 * time.Millisecond, inHand: 32}
	quick := load{waited: 50 * time.Millisecond, inHand: 32}
	const second = time.Second
	for _, c := range []struct {
		name string
		from int
		see  func(w *watch)
		want int
		says int // decisions with a reason
	}{
		{"late requests add one", 1, func(w *watch) { w.see(late, 1400*time.Millisecond) }, 2, 1},
		{"and go on adding, a quarter more at a time", 1, func(w *watch) { w.see(late, 30*second) }, 8, 7},
		{"a burst adds nothing", 1, func(w *watch) {
			for range 20 {
				w.see(late, 600*time.Millisecond)
				w.see(quick, 200*time.Millisecond)
			}
		}, 1, 0},
		{"requests that wait a little add nothing", 2, func(w *watch) { w.see(quick, 5*second) }, 2, 0},
		{"busy processors add nothing, and are told of once", 2, func(w *watch) {
			l := late
			l.pressure = 80
			w.see(l, 10*second)
		}, 2, 1},
		{"unknown pressure holds nothing up", 2, func(w *watch) {
			l := late
			l.pressure = unknownPressure
			w.see(l, 1400*time.Millisecond)
		}, 3, 1},
		{"none is added while one is coming", 2, func(w *watch) {
			l := late
			l.ready = 1
			w.see(l, 30*second)
		}, 2, 0},
		{"an idle service shrinks to the minimum, one at a time", 4, func(w *watch) { w.see(load{}, 60*second) }, 1, 3},
		{"but not before its time", 4, func(w *watch) { w.see(load{}, 9*second) }, 4, 0},
		{"workers that are half needed stay", 4, func(w *watch) { w.see(load{inHand: 2}, 60*second) }, 4, 0},
		{"seats count", 4, func(w *watch) { w.see(load{inHand: 20, seats: 10}, 60*second) }, 4, 0},
		{"few seats taken of many do not", 4, func(w *watch) { w.see(load{inHand: 2, seats: 10}, 60*second) }, 1, 3},
		{"late requests begin the idle time anew", 3, func(w *watch) {
			for range 10 {
				w.see(load{}, 8*second)
				w.see(late, 400*time.Millisecond)
			}
		}, 3, 0},
		{"the minimum holds", 2, func(w *watch) { w.rules.min = 2; w.see(load{}, 60*second) }, 2, 0},
	} {
		w := newWatch(c.from)
		c.see(w)
		if w.wanted != c.want || len(w.why) != c.says {
			t.Errorf("%s: got %d workers by %q, want %d by %d decisions", c.name, w.wanted, w.why, c.want, c.says)
		}
	}
}

// Workers whose requests say little about their work (asgi) would be taken away and
// added for ever.
func TestAWorkerTakenAwayTooEarlyIsPaidWithPatience(t *testing.T) {
	w := newWatch(2)
	changes := 0
	for begin := w.now; w.now.Sub(begin) < 10*time.Minute; {
		before := w.wanted
		if w.wanted == 1 {
			w.see(load{waited: time.Second, seats: 1000, inHand: 5}, 200*time.Millisecond)
		} else {
			w.see(load{seats: 1000, inHand: 5}, 200*time.Millisecond)
		}
		if w.wanted != before {
			changes++
		}
	}
	// Without patience 2 in each 11 s: more than a hundred.
	if changes < 4 || changes > 20 {
		t.Errorf("%d changes in ten minutes, want a few", changes)
	}
}

func TestPlanStaff(t *testing.T) {
	for _, c := range []struct {
		options            string
		processors         int
		start, least, most int
		err                string
	}{
		{"", 4, 1, 1, 1, ""},
		{"workers=3", 4, 3, 3, 3, ""},
		{"workers=auto worker_class=sync", 4, 9, 9, 9, ""},
		{"workers=auto worker_class=sync threads=4", 4, 4, 4, 4, ""}, // which is gthread
		{"workers=auto", 4, 4, 4, 4, ""},                             // until the application is known
		{"workers=auto worker_class=asgi", 1, 2, 2, 2, ""},
		{"workers=auto max_workers=3", 4, 3, 3, 3, ""},
		{"workers=auto worker_class=sync", 4096, 1024, 1024, 1024, ""},
		{"max_workers=8", 4, 1, 1, 8, ""},
		{"workers=4 min_workers=2", 4, 4, 2, 4, ""},
		{"workers=4 min_workers=2 max_workers=6", 4, 4, 2, 6, ""},
		{"workers=9 min_workers=2 max_workers=6", 4, 6, 2, 6, ""},
		{"min_workers=3 max_workers=6", 4, 3, 3, 6, ""},
		{"min_workers=7 max_workers=6", 4, 0, 0, 0, "min_workers is 7 and max_workers is 6"},
	} {
		layer := settings.Layer{Source: settings.CommandLine}
		for option := range strings.FieldsSeq(c.options) {
			name, value, _ := strings.Cut(option, "=")
			layer.Items = append(layer.Items, settings.Item{Name: name, Texts: []string{value}})
		}
		s, err := settings.Resolve(layer)
		if err != nil {
			t.Fatal(err)
		}
		got, err := planStaff(s, func() int { return c.processors })
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %q", c.options, err, c.err)
			}
			continue
		}
		if err != nil || got.start != c.start || got.bounds != (bounds{c.least, c.most}) {
			t.Errorf("%s: got %+v, %v, want %d within %d and %d", c.options, got, err, c.start, c.least, c.most)
		}
		if got.room() < min(c.most+spareSlots, 1024) {
			t.Errorf("%s: room for %d workers", c.options, got.room())
		}
	}
}
