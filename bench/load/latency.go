package main

import (
	"slices"
	"time"
)

// summary says how long the requests of one kind took; times in microseconds.
type summary struct {
	Count int     `json:"count"` // requests answered
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// summarize sorts its argument. The percentiles are those of the nearest rank:
// each is a time that was measured.
func summarize(took []time.Duration) summary {
	if len(took) == 0 {
		return summary{}
	}
	slices.Sort(took)
	at := func(perMille int) float64 {
		rank := (len(took)*perMille + 999) / 1000
		return float64(took[max(rank, 1)-1]) / float64(time.Microsecond)
	}
	return summary{len(took), at(500), at(990), at(999), at(1000)}
}
