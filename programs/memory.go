package programs

import (
	"errors"
	"os"
	"time"

	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/proc"
)

// workersWeighed: a goroutine has looked at the memory of the programs of gen.
type workersWeighed struct {
	gen     *generation
	weights []desk.Weight
}

// weigh has the memory of the programs looked at, if it is time.
func (m *master) weigh(now time.Time) {
	g, post := m.gen, m.post
	if s := g.plan.settings; s.MaxWorkerMemory() > 0 {
		m.scales.Weigh(now, s.WorkerMemoryInterval(), g.weights, weighFamily, func(weights []desk.Weight) {
			post(workersWeighed{g, weights})
		})
	}
}

// weights are those of the programs that serve, not known yet.
func (g *generation) weights() (all []desk.Weight) {
	for _, w := range g.workers {
		if w.phase == pool.Idle || w.phase == pool.Busy {
			all = append(all, desk.Weight{Slot: w.slot, PID: w.pid})
		}
	}
	return all
}

// weighFamily adds up a program and what it has started: many are a tree of processes, and
// the one that was started is the smallest of them.
func weighFamily(program int) (bytes int, own bool, err error) {
	for _, pid := range proc.Family(program, maxFamily) {
		size, alone, err := proc.Weigh(pid)
		switch {
		case err == nil:
			bytes += size
			own = own || alone
		case pid == program:
			return 0, false, err
		case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrProcessDone):
			own = true // nobody may look at it
		}
	}
	return bytes, own, nil
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
