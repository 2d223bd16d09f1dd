package master

import (
	"time"

	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/proc"
)

// scales remember when the workers' memory was looked at. They belong to the
// master's loop.
type scales struct {
	last time.Time
	busy bool // a goroutine is at it
	told bool // that the kernel does not show the shares of shared memory; said once
}

// weight is the memory of one worker, in bytes.
type weight struct {
	slot  pool.SlotID
	pid   int
	bytes int
	own   bool // only what is its own, without its share of what it shares
}

// weigh has a goroutine look at the memory of the workers, if it is time. To read it
// can take some milliseconds for each GiB, for which the loop must not wait.
func (m *master) weigh(now time.Time) {
	g := m.gen
	s := g.plan.settings
	if s.MaxWorkerMemory() == 0 || m.scales.busy || now.Sub(m.scales.last) < s.WorkerMemoryInterval() {
		return
	}
	var weights []weight
	for _, w := range g.workers {
		if w.phase == pool.Idle || w.phase == pool.Busy {
			weights = append(weights, weight{slot: w.slot, pid: w.pid})
		}
	}
	if len(weights) == 0 {
		return
	}
	m.scales.last, m.scales.busy = now, true
	post := m.post
	go func() {
		known := weights[:0]
		for _, w := range weights {
			var err error
			if w.bytes, w.own, err = proc.Weigh(w.pid); err == nil { // else it has ended
				known = append(known, w)
			}
		}
		post(workersWeighed{g, known})
	}()
}

// workersWeighed has those replaced that are too large.
func (m *master) workersWeighed(f workersWeighed) {
	m.scales.busy = false
	limit := f.gen.plan.settings.MaxWorkerMemory()
	for _, weight := range f.weights {
		if weight.own && !m.scales.told {
			m.scales.told = true
			m.log.Warn("memory that workers share is not counted: the kernel does not show it to this user", "pid", weight.pid)
		}
		w := f.gen.workers[weight.slot]
		if w == nil || w.pid != weight.pid || w.large || weight.bytes <= limit || f.gen.leaving {
			continue
		}
		w.large = true
		m.log.Info("worker has too much memory", "slot", int(w.slot), "pid", w.pid, "bytes", weight.bytes, "limit", limit)
		f.gen.pool.Replace(w.slot, w.pid, "max_worker_memory")
	}
}
