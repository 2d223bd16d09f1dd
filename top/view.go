package top

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/indrik/indrik/control"
)

// View is one look at a service: what it says, and what comes of that and of the look
// before. A nil rate is not known yet. Rates are per second, shares of a processor in
// percent, so that two whole ones are 200.
type View struct {
	At       time.Time      `json:"at"`
	Status   control.Status `json:"status"`
	Answered *float64       `json:"answered_per_second"`
	Failed   *float64       `json:"failed_per_second"`
	Received *float64       `json:"received_per_second"`
	Sent     *float64       `json:"sent_per_second"`
	// Half and Most are what 50 and 99 in a hundred of the requests between the two
	// looks did not exceed, in seconds.
	Half *float64 `json:"p50_seconds"`
	Most *float64 `json:"p99_seconds"`
	// CPU and Memory are of all processes. Memory is their proportional share.
	CPU     *float64 `json:"cpu_percent"`
	Memory  int64    `json:"memory"`
	Workers []Row    `json:"workers"`
}

// Row is a worker.
type Row struct {
	control.Worker
	Rate *float64
	CPU  *float64 // with what it started, if it has a control group
}

// MarshalJSON writes the worker as the status does, with its rates behind.
func (r Row) MarshalJSON() ([]byte, error) {
	worker, err := json.Marshal(r.Worker)
	if err != nil {
		return nil, err
	}
	rates, err := json.Marshal(struct {
		Rate *float64 `json:"answered_per_second"`
		CPU  *float64 `json:"cpu_percent"`
	}{r.Rate, r.CPU})
	return slices.Concat(worker[:len(worker)-1], []byte{','}, rates[1:]), err // two objects made one
}

// past remembers of one look what the next needs. The zero value is before the first.
type past struct {
	at      time.Time
	totals  control.Totals
	workers map[int]uint64 // what they had answered, by process
	spent   map[int]spent
}

// spent is what a process had used of processors when the kernel was asked, and the
// share that followed from the time before that.
type spent struct {
	at      time.Time
	seconds float64
	share   *float64
}

// look makes a view of what a service said at an instant.
func (p *past) look(at time.Time, s control.Status) View {
	v := View{At: at, Status: s}
	v.Status.Workers = nil // they are in rows
	elapsed := at.Sub(p.at).Seconds()
	known := !p.at.IsZero() && elapsed > 0
	rate := func(now, before uint64) *float64 {
		if !known {
			return nil
		}
		each := float64(now-min(before, now)) / elapsed
		return &each
	}
	t, b := s.Totals, p.totals
	v.Answered, v.Failed = rate(t.Answered, b.Answered), rate(t.Failed, b.Failed)
	v.Received, v.Sent = rate(t.Received, b.Received), rate(t.Sent, b.Sent)
	if known {
		between := t.Latency.Since(b.Latency)
		v.Half, v.Most = quantile(between, 0.5), quantile(between, 0.99)
	}
	next := past{at: at, totals: t, workers: map[int]uint64{}, spent: map[int]spent{}}
	for _, w := range s.Workers {
		row := Row{Worker: w, CPU: p.share(&next, w.Process, w.Group)}
		if before, there := p.workers[w.PID]; there {
			row.Rate = rate(w.Answered, before)
		}
		next.workers[w.PID] = w.Answered
		v.Workers = append(v.Workers, row)
		v.Memory += w.Memory
		v.CPU = sum(v.CPU, row.CPU)
	}
	for _, process := range []control.Process{s.Master, s.Mold, s.Gateway.Process} {
		if process.PID != 0 {
			v.Memory += process.Memory
			v.CPU = sum(v.CPU, p.share(&next, process, nil))
		}
	}
	*p = next
	return v
}

// complete reports that the shares of all processes are known.
func (v *View) complete() bool {
	return v.CPU != nil && !slices.ContainsFunc(v.Workers, func(r Row) bool { return r.CPU == nil })
}

// share is the part of a processor that a process has used. As long as the kernel was
// not asked anew it is what it was.
func (p *past) share(next *past, process control.Process, group *control.Group) *float64 {
	now := spent{at: process.At, seconds: process.CPU}
	if group != nil {
		now.seconds = group.CPU
	}
	if before, there := p.spent[process.PID]; there {
		now.share = before.share
		if elapsed := now.at.Sub(before.at).Seconds(); elapsed > 0 {
			share := max(now.seconds-before.seconds, 0) / elapsed * 100
			now.share = &share
		}
	}
	next.spent[process.PID] = now
	return now.share
}

func quantile(h control.Histogram, q float64) *float64 {
	seconds, known := h.Quantile(q)
	if !known {
		return nil
	}
	return &seconds
}

// sum adds a number to what may not be known; what is not known adds nothing.
func sum(a, b *float64) *float64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	both := *a + *b
	return &both
}

// order is what the rows are sorted by.
type order int

const (
	bySlot order = iota
	byRequest
	byAnswered
	byRate
	byCPU
	byMemory
	orders
)

// String is the word for it.
func (o order) String() string {
	return [orders]string{"slot", "request", "answered", "req/s", "cpu", "memory"}[o]
}

// sort puts the largest first, but by slot the smallest. Rows that are equal stay in the
// order of their slots.
func (o order) sort(rows []Row, reverse bool) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		if c := cmp.Or(cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Slot, b.Slot)); o == bySlot {
			if reverse {
				return -c
			}
			return c
		}
		c := cmp.Compare(o.weight(b), o.weight(a))
		if reverse {
			return -c
		}
		return c
	})
}

func (o order) weight(r Row) float64 {
	some := func(f *float64) float64 {
		if f == nil {
			return -1
		}
		return *f
	}
	switch o {
	case byRequest:
		return r.Oldest
	case byAnswered:
		return float64(r.Answered)
	case byRate:
		return some(r.Rate)
	case byCPU:
		return some(r.CPU)
	case byMemory:
		return float64(r.Memory)
	case bySlot, orders:
	}
	return 0
}
