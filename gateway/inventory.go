package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/indrik/indrik/dispatch"
)

// rowsInMessage is how many requests one fact tells of. Each takes less than 700 bytes,
// so that it is within the limit of a message.
const rowsInMessage = 100

// Inventory is the answer to a question for requests. Messages of one answer are read into
// it one after the other.
type Inventory struct {
	Requests []InHand
	Loads    map[int]int // by pid, of workers with lanes of their own: the requests given to them
	Whole    bool        // the last message was read
}

// RequestsOrder asks which requests are in hand: those with these ids, of each worker with a
// lane of its own the oldest (of each loop), and the oldest of all, so many as most says. Facts with
// the same number answer it.
func RequestsOrder(number int64, most int, ids []uint64) dispatch.Tuple {
	list := make(dispatch.List, len(ids))
	for i, id := range ids {
		list[i] = int64(id)
	}
	return dispatch.Tuple{"requests", number, int64(most), list}
}

// Read takes a fact in and returns its question's number.
func (v *Inventory) Read(fact dispatch.Tuple) (number int64, err error) {
	o := order{msg: fact}
	number = item[int64](&o, 1)
	rows := item[dispatch.List](&o, 2)
	for _, each := range rows {
		fields, _ := each.(dispatch.Tuple)
		row := order{msg: fields}
		r := InHand{
			ID: uint64(item[int64](&row, 0)), Phase: item[string](&row, 1), Generation: row.number(2), PID: row.number(3),
			Began: item[int64](&row, 4), Waited: item[int64](&row, 5),
			Method: item[string](&row, 6), Path: item[string](&row, 7), Client: item[string](&row, 8),
		}
		o.bad = o.bad || row.bad
		v.Requests = append(v.Requests, r)
	}
	if len(fact) == 4 { // the last
		v.Whole, v.Loads = true, map[int]int{}
		for _, each := range item[dispatch.List](&o, 3) {
			pair, _ := each.(dispatch.Tuple)
			load := order{msg: pair}
			v.Loads[load.number(0)] = load.number(1)
			o.bad = o.bad || load.bad
		}
	}
	if o.bad {
		return number, errors.New("malformed list of requests")
	}
	return number, nil
}

// inventory collects what the loops have in hand.
type inventory struct {
	number int64
	most   int
	ids    []uint64
	shares []share // by loop, each of which writes its own
}

// share is what one loop has in hand.
type share struct {
	oldest []InHand
	named  []InHand // by ids, or as the oldest of a worker with a lane of its own
	loads  map[int]int
}

// requests carries out the order. The loops only look at what they have, and the rest is
// done elsewhere: none waits for the master, nor for another.
func (g *gateway) requests(o *order) error {
	v := &inventory{number: item[int64](o, 1), most: o.number(2), shares: make([]share, len(g.loops))}
	for _, each := range item[dispatch.List](o, 3) {
		id, _ := each.(int64)
		v.ids = append(v.ids, uint64(id))
	}
	if o.bad {
		return fmt.Errorf("%w: requests", errOrder)
	}
	added := g.afterAll(func() { go v.send(g.channel) })
	for i, l := range g.loops {
		if !l.post(func(l *loop) { v.shares[i] = l.share(v); added() }) {
			added() // that loop has drained: it has nothing in hand
		}
	}
	return nil
}

// share is what this loop has in hand of what is asked for.
func (l *loop) share(v *inventory) (s share) {
	var oldest []*request
	first := map[*lane]*request{} // the oldest on each lane that is a worker's own
	for _, r := range l.requests.all {
		if r.phase == unused {
			continue
		}
		if v.most > 0 {
			oldest = append(oldest, r)
		}
		if ln := r.lane; ln != nil && ln.worker != nil && (first[ln] == nil || r.arrived() < first[ln].arrived()) {
			first[ln] = r
		}
	}
	slices.SortFunc(oldest, func(a, b *request) int { return cmp.Compare(a.arrived(), b.arrived()) })
	for _, r := range oldest[:min(len(oldest), v.most)] {
		s.oldest = append(s.oldest, r.describe())
	}
	for _, r := range first {
		s.named = append(s.named, r.describe())
	}
	for _, id := range v.ids {
		if r := l.requests.find(id); r != nil {
			s.named = append(s.named, r.describe())
		}
	}
	s.loads = map[int]int{}
	for pid, w := range l.workers {
		if w.own != nil {
			s.loads[pid] = w.own.dispatched
		}
	}
	return s
}

// send tells the master, who may be gone.
func (v *inventory) send(to *dispatch.Channel) {
	rows := v.chosen()
	for len(rows) > rowsInMessage {
		if to.Send(dispatch.Tuple{FactRequests, v.number, tell(rows[:rowsInMessage])}) != nil {
			return
		}
		rows = rows[rowsInMessage:]
	}
	sum := map[int]int{}
	for _, s := range v.shares {
		for pid, n := range s.loads {
			sum[pid] += n
		}
	}
	loads := dispatch.List{}
	for pid, n := range sum {
		loads = append(loads, dispatch.Tuple{int64(pid), int64(n)})
	}
	_ = to.Send(dispatch.Tuple{FactRequests, v.number, tell(rows), loads})
}

// chosen are the rows that were asked for, the oldest first, each once.
func (v *inventory) chosen() []InHand {
	byAge := func(a, b InHand) int { return cmp.Or(cmp.Compare(a.Began, b.Began), cmp.Compare(a.ID, b.ID)) }
	var oldest, named []InHand
	for _, s := range v.shares {
		oldest, named = append(oldest, s.oldest...), append(named, s.named...)
	}
	slices.SortFunc(oldest, byAge)
	rows := append(oldest[:min(len(oldest), v.most)], named...)
	slices.SortFunc(rows, byAge)
	return slices.CompactFunc(rows, func(a, b InHand) bool { return a.ID == b.ID })
}

func tell(rows []InHand) dispatch.List {
	list := make(dispatch.List, len(rows))
	for i, r := range rows {
		list[i] = dispatch.Tuple{
			int64(r.ID), r.Phase, int64(r.Generation), int64(r.PID), r.Began, r.Waited, r.Method, r.Path, r.Client,
		}
	}
	return list
}
