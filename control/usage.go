package control

// Totals are what was counted since the service began, by all gateways that it had. No
// number goes back.
type Totals struct {
	Answered uint64    `json:"answered"` // requests, whoever answered
	Failed   uint64    `json:"failed"`   // of those with a status from 500 on
	Received uint64    `json:"received"` // bytes
	Sent     uint64    `json:"sent"`     // bytes
	Latency  Histogram `json:"latency"`  // from the end of a request's head to the end of its answer
}

// Histogram counts times by how long they were.
type Histogram struct {
	Bounds []float64 `json:"bounds"` // upper ends of the buckets in seconds, in order
	Counts []uint64  `json:"counts"` // one more than bounds; not added up
}

// Since is what was counted since before. It is empty if the two cannot be compared.
func (h Histogram) Since(before Histogram) Histogram {
	since := Histogram{Bounds: h.Bounds, Counts: make([]uint64, len(h.Counts))}
	if len(before.Counts) != len(h.Counts) {
		return since
	}
	for i, n := range h.Counts {
		since.Counts[i] = n - min(before.Counts[i], n)
	}
	return since
}

// Quantile is the time that a part q of what was counted did not exceed, in seconds: as
// near as the buckets tell, in which times are taken to be spread evenly. Of what is
// beyond all bounds it is the last of them. It reports false if nothing was counted.
func (h Histogram) Quantile(q float64) (seconds float64, known bool) {
	var all uint64
	for _, n := range h.Counts {
		all += n
	}
	if all == 0 || len(h.Bounds)+1 != len(h.Counts) || len(h.Bounds) == 0 {
		return 0, false
	}
	rank, seen := q*float64(all), 0.0
	for i, n := range h.Counts[:len(h.Bounds)] {
		if n == 0 || seen+float64(n) < rank {
			seen += float64(n)
			continue
		}
		low := 0.0
		if i > 0 {
			low = h.Bounds[i-1]
		}
		return low + (h.Bounds[i]-low)*(rank-seen)/float64(n), true
	}
	return h.Bounds[len(h.Bounds)-1], true
}

// Pressure is the share of the last 10 seconds in percent, 0 to 100, for which some
// process had to wait for a processor, for memory, for a disk.
type Pressure struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	IO     float64 `json:"io"`
}

// Group is what the kernel counts of a worker and of all that it has started, those
// that have ended too.
type Group struct {
	CPU      float64   `json:"cpu_seconds"`
	Memory   int64     `json:"memory,omitempty"`      // bytes, page cache among them
	Peak     int64     `json:"memory_peak,omitempty"` // bytes
	OOMKills int64     `json:"oom_kills,omitempty"`
	Pressure *Pressure `json:"pressure,omitempty"`
}
