package master

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// obituaryLimit bounds how long the line about a death waits for the gateway, which
	// answers within a millisecond if it is well.
	obituaryLimit = time.Second
	// heldShown is how many requests the line names.
	heldShown = 4
)

// obituaries are the lines about deaths of workers that wait for the gateway: the
// scoreboard says how many requests a worker held and under which ids, the gateway what
// they were.
//
//	begun by the pool ──▶ the gateway is asked ──▶ it has answered, or is gone ──▶ written
//	      └────────────── obituaryLimit, whoever hangs ──────────────────────────────▲
//
// The zero value is empty. Any goroutine may call the methods; none waits.
type obituaries struct {
	mu   sync.Mutex
	open map[int]*obituary // by the number of the process that ended
}

// obituary is one of them. held is sorted, the oldest first.
type obituary struct {
	write   func(facts ...any)
	held    []heldRequest
	told    int // requests that the gateway has answered for the worker
	answers int // that the gateway owes us
	limit   *time.Timer
}

// heldRequest is a request that a worker had when it ended.
type heldRequest struct {
	id   uint64
	age  time.Duration
	what string // method and path, quoted; "" if nobody knows
}

// begin keeps a line. write is called once.
func (o *obituaries) begin(pid int, held []heldRequest, write func(facts ...any)) {
	n := &obituary{write: write, held: held}
	o.mu.Lock()
	before := o.open[pid] // the number was given again: it has had its time
	if o.open == nil {
		o.open = map[int]*obituary{}
	}
	o.open[pid] = n
	n.limit = time.AfterFunc(obituaryLimit, func() { o.take(pid, n).publish() })
	o.mu.Unlock()
	before.publish()
}

// asked says how many answers the gateway owes about a process; with 0 its line is
// written at once.
func (o *obituaries) asked(pid, answers int) {
	o.mu.Lock()
	n := o.open[pid]
	if n != nil {
		n.answers = answers
	}
	o.mu.Unlock()
	if answers == 0 {
		o.take(pid, n).publish()
	}
}

// answered hears the gateway: how many requests it had to answer itself, and what some of
// them were.
func (o *obituaries) answered(pid, count int, named []heldRequest) {
	o.mu.Lock()
	n := o.open[pid]
	if n == nil {
		o.mu.Unlock()
		return // too late
	}
	n.told += max(count, 0)
	for _, r := range named {
		n.name(r)
	}
	n.answers--
	last := n.answers <= 0
	o.mu.Unlock()
	if last {
		o.take(pid, n).publish()
	}
}

// name adds what the gateway knows of a request. Its age counts from when it was given
// away, that of the scoreboard from when it was begun.
func (n *obituary) name(r heldRequest) {
	at := slices.IndexFunc(n.held, func(h heldRequest) bool { return h.id == r.id })
	if at < 0 {
		n.held = append(n.held, r)
		sortHeld(n.held)
		return
	}
	n.held[at].what = r.what
}

// take takes a line out; nil if it is not there any more.
func (o *obituaries) take(pid int, n *obituary) *obituary {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n == nil || o.open[pid] != n {
		return nil
	}
	delete(o.open, pid)
	return n
}

// publishAll writes what is left, because the gateway is gone or we are going.
func (o *obituaries) publishAll() {
	o.mu.Lock()
	left := o.open
	o.open = nil
	o.mu.Unlock()
	for _, n := range left {
		n.publish()
	}
}

// publish writes the line. A nil one is written already.
func (n *obituary) publish() {
	if n != nil {
		n.limit.Stop()
		n.write(n.facts()...)
	}
}

// facts are keys and values about what it held.
func (n *obituary) facts() []any {
	count := max(len(n.held), n.told)
	if count == 0 {
		return nil
	}
	var words []string
	for _, r := range n.held[:min(len(n.held), heldShown)] {
		text := fmt.Sprintf("%#x", r.id)
		if r.what != "" {
			text += " " + r.what
		}
		words = append(words, fmt.Sprintf("%s (%v)", text, r.age.Round(time.Millisecond)))
	}
	return []any{"requests", count, "held", strings.Join(words, ", ")}
}

func sortHeld(held []heldRequest) {
	slices.SortStableFunc(held, func(a, b heldRequest) int { return cmp.Compare(b.age, a.age) })
}

// explain adds to a death what the pool cannot know. It runs on the pool's goroutine.
func (m *master) explain(d *pool.Death) { desk.ExplainKill(d, m.oom) }

// announcer has lines about deaths wait where the gateway has something to add. g is set
// when it is called, on the pool's goroutine.
func (m *master) announcer(g **generation) func(*pool.Death, func(...any)) {
	return func(d *pool.Death, write func(...any)) {
		var held []heldRequest
		now := dispatch.Monotonic()
		for _, r := range (*g).inHand(d.Slot) {
			held = append(held, heldRequest{id: r.id, age: max(time.Duration(now-r.start), 0)})
		}
		sortHeld(held)
		if c := (*g).course.Load(); len(held) == 0 && (c == nil || !c.own) {
			write()
			return
		}
		m.obituaries.begin(d.PID, held, write)
	}
}

// left hears what the gateway knows of the requests that a dead worker held.
func (m *master) left(msg dispatch.Tuple) {
	var named []heldRequest
	list, _ := item(msg, 3).(dispatch.List)
	for _, v := range list {
		if r, ok := v.(dispatch.Tuple); ok {
			age := time.Duration(max(number(r, 2), 0)) * time.Millisecond
			named = append(named, heldRequest{id: uint64(number(r, 0)), age: age, what: text(r, 1)})
		}
	}
	m.obituaries.answered(number(msg, 1), number(msg, 2), named)
}
