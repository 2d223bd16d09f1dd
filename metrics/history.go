package metrics

import "time"

const (
	// SampleEvery is the time between two samples of a history.
	SampleEvery = 2 * time.Second
	historyLen  = 91 // three minutes, and where the first of them begins
)

// Sample is what charts are drawn from.
type Sample struct {
	At       time.Time
	Answered uint64
	Failed   uint64   // with 5xx
	Latency  []uint64 // the buckets of the histogram
	Queued   int
	Busy     int // seats
}

// History keeps the last samples. The zero value has none.
type History struct {
	samples []Sample
}

// Due reports that it is time for another sample.
func (h *History) Due(now time.Time) bool {
	return len(h.samples) == 0 || now.Sub(h.samples[len(h.samples)-1].At) >= SampleEvery
}

// Add keeps a sample, which is the history's from then on.
func (h *History) Add(s Sample) {
	if len(h.samples) == historyLen {
		copy(h.samples, h.samples[1:])
		h.samples = h.samples[:historyLen-1]
	}
	h.samples = append(h.samples, s)
}

// Samples returns those that there are, the oldest first.
func (h *History) Samples() []Sample { return append([]Sample(nil), h.samples...) }

// rates are requests and failures in a second, between each two samples.
func rates(samples []Sample) (answered, failed []float64) {
	for i := 1; i < len(samples); i++ {
		a, b := &samples[i-1], &samples[i]
		elapsed := b.At.Sub(a.At).Seconds()
		if elapsed <= 0 {
			elapsed = SampleEvery.Seconds()
		}
		answered = append(answered, float64(b.Answered-min(a.Answered, b.Answered))/elapsed)
		failed = append(failed, float64(b.Failed-min(a.Failed, b.Failed))/elapsed)
	}
	return answered, failed
}

// quantiles are the times that a part q of the requests between each two samples
// did not exceed, in seconds: as near as the buckets tell, and 0 if there was none.
func quantiles(samples []Sample, bounds []float64, q float64) (all []float64) {
	for i := 1; i < len(samples); i++ {
		before, after := samples[i-1].Latency, samples[i].Latency
		if len(before) != len(after) || len(after) != len(bounds)+1 {
			all = append(all, 0)
			continue
		}
		counts := make([]uint64, len(after))
		for b := range after {
			counts[b] = after[b] - min(before[b], after[b])
		}
		all = append(all, quantile(counts, bounds, q))
	}
	return all
}

// quantile takes times to be spread evenly within a bucket.
func quantile(counts []uint64, bounds []float64, q float64) float64 {
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	rank, seen := q*float64(total), 0.0
	for i, n := range counts {
		if n == 0 || seen+float64(n) < rank {
			seen += float64(n)
			continue
		}
		if i == len(bounds) {
			return bounds[len(bounds)-1] // beyond it nothing is known
		}
		low := 0.0
		if i > 0 {
			low = bounds[i-1]
		}
		return low + (bounds[i]-low)*(rank-seen)/float64(n)
	}
	return 0
}

// tops are the largest of queue and busy seats at each sample but the first.
func tops(samples []Sample) (queued, busy []float64) {
	for i := 1; i < len(samples); i++ {
		queued = append(queued, float64(samples[i].Queued))
		busy = append(busy, float64(samples[i].Busy))
	}
	return queued, busy
}
