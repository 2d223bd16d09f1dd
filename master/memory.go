package master

import (
	"time"

	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/proc"
)

// weigh has the memory of the workers looked at, if it is time.
func (m *master) weigh(now time.Time) {
	g, post := m.gen, m.post
	if s := g.plan.settings; s.MaxWorkerMemory() > 0 {
		m.scales.Weigh(now, s.WorkerMemoryInterval(), g.weights, proc.Weigh, func(weights []desk.Weight) {
			post(workersWeighed{g, weights})
		})
	}
}

// weights are those of the workers that take requests, not known yet.
func (g *generation) weights() (all []desk.Weight) {
	for _, w := range g.workers {
		if w.phase == pool.Idle || w.phase == pool.Busy {
			all = append(all, desk.Weight{Slot: w.slot, PID: w.pid})
		}
	}
	return all
}

// workersWeighed has those replaced that are too large.
func (m *master) workersWeighed(f workersWeighed) {
	limit := f.gen.plan.settings.MaxWorkerMemory()
	for _, large := range m.scales.Heavier(f.weights, limit, m.log) {
		w := f.gen.workers[large.Slot]
		if w == nil || w.pid != large.PID || w.large || f.gen.leaving {
			continue
		}
		w.large = true
		m.log.Info("worker has too much memory", "slot", int(w.slot), "pid", w.pid, "bytes", large.Bytes, "limit", limit)
		f.gen.pool.Replace(w.slot, w.pid, "max_worker_memory")
	}
}
