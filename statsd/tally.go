package statsd

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// MaxTimes is how many times of requests are sent one by one in a second; of
// more, so many are chosen at random and sent with the rate.
const MaxTimes = 500

const statuses = 600 // from 0, so that a status is its index

// Tally counts requests: their statuses, and how long they took. The zero value
// is empty. One goroutine may use it at a time.
type Tally struct {
	requests int64
	status   [statuses]uint32
	times    [MaxTimes]time.Duration
}

// Request notes an answered request.
func (t *Tally) Request(status int, took time.Duration) {
	if status >= 0 && status < statuses {
		t.status[status]++
	}
	t.time(took)
}

// time keeps a time, so that each has the same chance to be among the kept ones.
func (t *Tally) time(took time.Duration) {
	if i := t.requests; i < MaxTimes {
		t.times[i] = took
	} else if i := rand.Int64N(t.requests + 1); i < MaxTimes {
		t.times[i] = took
	}
	t.requests++
}

// add adds another tally. Of times that were left out there, those that were
// kept stand for them.
func (t *Tally) add(other *Tally) {
	for i, n := range other.status {
		t.status[i] += n
	}
	kept := min(other.requests, MaxTimes)
	for i := range kept {
		t.time(other.times[i])
	}
	t.requests += other.requests - kept
}

func (t *Tally) clear() {
	if t.requests > 0 {
		t.requests, t.status = 0, [statuses]uint32{}
	}
}

// append appends the metrics of the tally.
func (t *Tally) append(b []byte, prefix, suffix string) []byte {
	if t.requests == 0 {
		return b
	}
	line := func(name string, value int64, kind string) {
		b = append(append(b, prefix...), name...)
		b = strconv.AppendInt(append(b, ':'), value, 10)
		b = append(append(append(b, kind...), suffix...), '\n')
	}
	line("gunicorn.requests", t.requests, "|c")
	for code, n := range t.status {
		if n > 0 {
			line("gunicorn.request.status."+strconv.Itoa(code), int64(n), "|c")
		}
	}
	kept := min(t.requests, MaxTimes)
	rate := ""
	if kept < t.requests {
		rate = "|@" + strconv.FormatFloat(float64(kept)/float64(t.requests), 'f', 6, 64)
	}
	for _, took := range t.times[:kept] {
		b = append(append(b, prefix...), "gunicorn.request.duration:"...)
		b = strconv.AppendFloat(b, float64(took.Microseconds())/1000, 'f', 3, 64)
		b = append(append(append(append(b, "|ms"...), rate...), suffix...), '\n')
	}
	return b
}
