package master

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
)

// Who wants to know which requests are in hand waits so long for a gateway, which answers
// within a round of its loops. Without an answer there is what the scoreboard tells: ids,
// seats and ages.
const (
	requestsPatience = time.Second
	statusPatience   = 200 * time.Millisecond
)

// question is what a gateway is asked about the requests that it has in hand. It belongs
// to the master's loop until done is closed, and nobody writes it after that.
type question struct {
	number int64
	most   int
	ids    []uint64
	found  gateway.Inventory
	done   chan struct{} // closed when it was answered, or nobody will
}

// survey is the questions to one gateway. One is on its way at most, so that those who
// ask again and again do not fill the channel of a gateway that is stopped. The zero value
// is that nobody asks.
type survey struct {
	open *question
	next *question // of all who came meanwhile
}

// inquire has a gateway asked; nil if it cannot be.
func (m *master) inquire(gt *gate, most int, ids []uint64) *question {
	if gt.child == nil || gt.child.closed || !gt.serving || gt.strange {
		return nil
	}
	if gt.survey.next == nil {
		gt.survey.next = &question{done: make(chan struct{})}
	}
	q := gt.survey.next
	q.most, q.ids = max(q.most, most), append(q.ids, ids...)
	m.advanceSurvey(gt)
	return q
}

// advanceSurvey sends the next question if none is open.
func (m *master) advanceSurvey(gt *gate) {
	if s := &gt.survey; s.open == nil && s.next != nil {
		s.open, s.next = s.next, nil
		s.open.number = dispatch.Monotonic() // no image of the master uses it again
		m.order(gt, gateway.RequestsOrder(s.open.number, s.open.most, s.open.ids))
	}
}

// requestsTold hears a part of an answer.
func (m *master) requestsTold(gt *gate, msg dispatch.Tuple) {
	q := gt.survey.open
	if q == nil || q.number != int64(number(msg, 1)) {
		return // it was the image before that asked
	}
	if _, err := q.found.Read(msg); err != nil {
		m.log.Error("gateway not understood", "message", word(msg), "error", err)
		q.found.Whole = true
	}
	if q.found.Whole {
		gt.survey.open = nil
		close(q.done)
		m.advanceSurvey(gt)
	}
}

// drop ends the questions to a gateway that has ended.
func (s *survey) drop() {
	for _, q := range []*question{s.open, s.next} {
		if q != nil {
			close(q.done)
		}
	}
	*s = survey{}
}

// await returns what gateways answered to questions until patience ends.
func await(ctx context.Context, questions []*question, patience time.Duration) (all []gateway.InHand, loads map[int]int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	loads = map[int]int{}
	for _, q := range questions {
		select {
		case <-q.done:
		case <-ctx.Done():
			continue // another may have answered
		}
		all = append(all, q.found.Requests...)
		for pid, n := range q.found.Loads {
			loads[pid] += n
		}
	}
	return all, loads
}

// inquireAll has all gateways asked that there are.
func (m *master) inquireAll(most int, ids []uint64) (questions []*question) {
	for _, gt := range m.gates() {
		if q := m.inquire(gt, most, ids); q != nil {
			questions = append(questions, q)
		}
	}
	return questions
}

// Requests are those in hand, the oldest first: what the gateways say of them, and
// which seat has them. One that only a seat knows of is nobody's any more: the gateway
// that wanted its answer is gone.
func (c *clerk) Requests(ctx context.Context, most int) ([]control.Request, error) {
	var before holders
	questions, err := ask(ctx, c.m, func() ([]*question, error) {
		before = c.m.holders()
		return c.m.inquireAll(most, before.ids(most)), nil
	})
	if err != nil {
		return nil, err
	}
	found, _ := await(ctx, questions, requestsPatience)
	now, err := ask(ctx, c.m, func() (holders, error) { return c.m.holders(), nil })
	if err != nil {
		return nil, err
	}
	for id := range now.seats {
		if _, there := before.seats[id]; !there {
			delete(now.seats, id) // the gateways were not asked for it, and may have it
		}
	}
	all := now.merge(found)
	return all[:min(len(all), most)], nil
}

// holders is who has requests, as the scoreboards tell it.
type holders struct {
	seats   map[uint64]control.Request // by id
	workers map[int]control.Request    // by pid, with nothing but where they are
}

func (m *master) holders() holders {
	h := holders{map[uint64]control.Request{}, map[int]control.Request{}}
	for _, g := range m.generations() {
		for _, w := range g.workers {
			if w.pid == 0 {
				continue
			}
			h.workers[w.pid] = w.place()
			for seat := range g.board.Seats() {
				if id, start := g.board.Seat(int(w.slot), seat).Request(); id != 0 {
					h.seats[id] = w.holding(id, start, seat)
				}
			}
		}
	}
	return h
}

// place is a request of which nothing is known but its worker.
func (w *worker) place() control.Request {
	slot := int(w.slot)
	return control.Request{Slot: &slot, Generation: w.gen.number, PID: w.pid}
}

// holding is a request that a row of the worker tells of. One with a lane of its own has
// a row and no seats.
func (w *worker) holding(id uint64, start int64, seat int) control.Request {
	r := w.place()
	r.ID, r.State, r.Age = requestName(id), control.Held, age(start)
	if w.own == nil {
		r.Seat = &seat
	}
	return r
}

// requestName is a request's id as logs have it.
func requestName(id uint64) string { return fmt.Sprintf("%#x", id) }

// ids are those that seats hold, so many at most.
func (h *holders) ids(most int) []uint64 {
	ids := slices.Collect(maps.Keys(h.seats))
	return ids[:min(len(ids), most)]
}

// merge tells of requests what gateways and scoreboards know, the oldest first.
func (h *holders) merge(found []gateway.InHand) []control.Request {
	all, told := make([]control.Request, 0, len(found)), map[uint64]bool{}
	for i := range found {
		f := &found[i]
		r, seated := h.seats[f.ID]
		if !seated {
			r = h.workers[f.PID]
			r.Generation = f.Generation
		}
		describeRequest(&r, f)
		told[f.ID] = true
		all = append(all, r)
	}
	for id, r := range h.seats {
		if !told[id] {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b control.Request) int { return cmp.Or(cmp.Compare(b.Age, a.Age), cmp.Compare(a.ID, b.ID)) })
	return all
}

// describeRequest adds what a gateway says of a request to what is known of it.
func describeRequest(r *control.Request, f *gateway.InHand) {
	if r.State != control.Held || f.Phase == control.Begun {
		r.State = f.Phase
	}
	r.ID, r.Method, r.Path, r.Client = requestName(f.ID), f.Method, f.Path, f.Client
	r.Age, r.Waited = age(f.Began), time.Duration(f.Waited).Round(time.Microsecond).Seconds()
	if f.Phase == control.InQueue {
		r.Waited = r.Age
	}
}

// oldest is the request that a worker's rows have had longest; id is 0 if they have none.
func (w *worker) oldest() (id uint64, start int64, seat int) {
	for i := range w.gen.board.Seats() {
		if found, since := w.gen.board.Seat(int(w.slot), i).Request(); found != 0 && (id == 0 || since < start) {
			id, start, seat = found, since, i
		}
	}
	return id, start, seat
}

// inquireFor asks the gateways for what a status says of workers: the request that each has
// had longest. It asks nothing where no worker can have one.
func (m *master) inquireFor() []*question {
	var ids []uint64
	own := false
	for _, g := range m.generations() {
		for _, w := range g.workers {
			if w.pid == 0 {
				continue
			}
			if id, _, _ := w.oldest(); id != 0 {
				ids = append(ids, id)
			}
			own = own || w.own != nil
		}
	}
	if len(ids) == 0 && !own {
		return nil
	}
	return m.inquireAll(0, ids)
}

// assign shows with each worker of a status what the gateways say of its requests. For
// workers with lanes of their own only they know it.
func assign(s *control.Status, found []gateway.InHand, loads map[int]int) {
	named, first := map[string]*gateway.InHand{}, map[int]*gateway.InHand{}
	for i := range found { // the oldest first
		f := &found[i]
		named[requestName(f.ID)] = f
		if first[f.PID] == nil {
			first[f.PID] = f
		}
	}
	for i := range s.Workers {
		w := &s.Workers[i]
		load, own := loads[w.PID]
		if own {
			w.Busy, w.Oldest, w.Request = load, 0, nil
			if f := first[w.PID]; f != nil {
				w.Request = &control.Request{Slot: &w.Slot, Generation: w.Generation, PID: w.PID}
				describeRequest(w.Request, f)
				w.Oldest = age(f.Began + f.Waited)
			}
		} else if w.Request != nil {
			if f := named[w.Request.ID]; f != nil {
				describeRequest(w.Request, f)
			}
		}
	}
}
