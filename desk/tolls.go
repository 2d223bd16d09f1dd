package desk

import (
	"maps"
	"strings"
	"time"

	"github.com/indrik/indrik/metrics"
)

// Tolls are what was counted since the service began. They belong to the master's loop,
// outlive generations, and as JSON are a part of a master's state. The zero value is that
// of a service at its start.
type Tolls struct {
	Ends     map[string]uint64 `json:"ends"`     // of workers, by cause
	Restarts map[string]uint64 `json:"restarts"` // of processes that are no workers
	Done     uint64            `json:"done"`     // reloads
	Failed   uint64            `json:"failed"`   // reloads
	Reloaded time.Duration     `json:"reloaded"` // time that reloads took
	Last     *metrics.Reload   `json:"last"`     // reload
}

// End counts a worker that ended.
func (t *Tolls) End(cause string) { charge(&t.Ends, cause) }

// Restart counts another process that ended and is replaced.
func (t *Tolls) Restart(process string) { charge(&t.Restarts, process) }

// charge counts one more in a map that may be nil.
func charge(counts *map[string]uint64, name string) {
	if *counts == nil {
		*counts = map[string]uint64{}
	}
	(*counts)[strings.ReplaceAll(name, " ", "_")]++
}

// Reload counts one that began then and has ended; err is why it failed, or nil.
func (t *Tolls) Reload(began time.Time, err error) {
	took := time.Since(began)
	t.Last = &metrics.Reload{At: time.Now(), Took: metrics.Seconds(took)}
	if err != nil {
		t.Failed++
		t.Last.Failed = err.Error()
		return
	}
	t.Done++
	t.Reloaded += took
}

// Tell puts a copy of the counts into facts.
func (t *Tolls) Tell(f *metrics.Facts) {
	f.Ends, f.Restarts = maps.Clone(t.Ends), maps.Clone(t.Restarts)
	f.Reloads = metrics.Reloads{Done: t.Done, Failed: t.Failed, Time: metrics.Seconds(t.Reloaded), Last: t.Last}
}
