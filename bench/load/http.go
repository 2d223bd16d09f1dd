package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// phase is what was measured of the requests that were due in one part of the run.
type phase struct {
	Fast    summary        `json:"fast"`
	Slow    summary        `json:"slow"`
	Errors  map[string]int `json:"errors"` // by what was wrong
	Retried int            `json:"retried"`

	fast, slow []time.Duration
}

// report is the result of loadHTTP: one phase, or with -calm two.
type report struct {
	Seconds float64  `json:"seconds"` // until the last response
	Phases  []*phase `json:"phases"`
}

// loadHTTP makes requests at the plan's rate and returns when the last of them
// has ended. Servers that fail are a result, not an error.
func loadHTTP(p plan, out io.Writer) (*report, error) {
	total := int64(p.length.Seconds() * p.rate)
	began := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	each := make([][2]phase, p.connections)
	for n := range p.connections {
		wg.Go(func() {
			w := walker{client: client{plan: &p}, began: began, phases: &each[n]}
			defer w.client.close()
			for i := next.Add(1) - 1; i < total; i = next.Add(1) - 1 {
				w.request(i)
			}
		})
	}
	var err error
	if p.calm > 0 {
		<-time.After(time.Until(began.Add(p.calm)))
		_, err = fmt.Fprintln(out, "calm")
	}
	wg.Wait()
	return merge(each, p.calm > 0, time.Since(began)), err
}

// walker makes the requests of one connection.
type walker struct {
	client client
	began  time.Time
	phases *[2]phase
}

// request waits until request i is due, makes it and notes what came of it.
func (w *walker) request(i int64) {
	p := w.client.plan
	after := time.Duration(float64(i) / p.rate * float64(time.Second))
	from := w.began.Add(after)
	if ahead := time.Until(from); ahead > 0 {
		<-time.After(ahead)
		from = time.Now()
	}
	into := &w.phases[0]
	if p.calm > 0 && after >= p.calm {
		into = &w.phases[1]
	}
	target, took := p.path, &into.fast
	if p.slowEvery > 0 && scatter(uint64(i))%uint64(p.slowEvery) == 0 {
		target, took = p.slowPath, &into.slow
	}
	before := w.client.retried
	err := w.client.get(target)
	into.Retried += w.client.retried - before
	if err == nil {
		*took = append(*took, time.Since(from))
		return
	}
	if into.Errors == nil {
		into.Errors = map[string]int{}
	}
	into.Errors[err.Error()]++
}

// scatter is splitmix64: which requests are slow looks like chance and is the
// same in every run.
func scatter(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

func merge(each [][2]phase, two bool, length time.Duration) *report {
	all := &report{Seconds: length.Seconds()}
	for n := range 2 {
		if n == 1 && !two {
			break
		}
		sum := &phase{Errors: map[string]int{}}
		for _, one := range each {
			sum.fast, sum.slow = append(sum.fast, one[n].fast...), append(sum.slow, one[n].slow...)
			sum.Retried += one[n].Retried
			for what, count := range one[n].Errors {
				sum.Errors[what] += count
			}
		}
		sum.Fast, sum.Slow = summarize(sum.fast), summarize(sum.slow)
		all.Phases = append(all.Phases, sum)
	}
	return all
}
