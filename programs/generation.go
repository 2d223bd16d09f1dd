package programs

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/indrik/indrik/pool"
)

// generation is the programs started from one reading of the configuration.
type generation struct {
	number int
	plan   *plan
	wanted int // workers
	size   int // slots that the pool has been told to fill
	pool   *pool.Pool
	retire context.CancelCauseFunc
	ended  bool // the pool has

	workers map[pool.SlotID]*worker
	orders  []pool.SlotID // of the pool, not answered yet
	leaving bool
	// replaced is when the reload began that made another one serve; zero for one that
	// serves, or never did.
	replaced time.Time
	// told: a program of this command line has said READY=1, so that silence of
	// another means that it is not ready.
	told bool

	signs [pool.MaxSize]atomic.Pointer[signs] // of the worker in each slot, for the pool
}

// signs are what a pool reads of a worker, on a goroutine of its own.
type signs struct {
	beat    atomic.Int64           // instant of the last one, in nanoseconds of CLOCK_MONOTONIC
	said    atomic.Pointer[string] // the status that it sent last; nil: none
	leaving atomic.Bool
}

// newGeneration makes a generation with size slots; start begins it.
func (m *master) newGeneration(p *plan, wanted, size int) (*generation, error) {
	m.last++
	g := &generation{number: m.last, plan: p, wanted: wanted, size: size, workers: make(map[pool.SlotID]*worker)}
	s := p.settings
	log := m.cfg.Log.Named("pool")
	if g.number > 1 {
		log = log.With("gen", g.number)
	}
	var err error
	g.pool, err = pool.New(pool.Config{
		Size:       size,
		BootAtOnce: bootAtOnce(s.BootConcurrency()),
		Limits: pool.Limits{
			Boot: s.BootTimeout(), Grace: s.GracefulTimeout(), Beat: s.ExecWatchdog(),
			Age: s.MaxWorkerAge(), AgeJitter: s.MaxWorkerAgeJitter(),
		},
		StopSignal: s.ExecStopSignal(),
		Statuses:   map[int]pool.Cause{StatusExec: pool.LoadFailed},
		Spawn:      func(slot pool.SlotID) { m.post(spawnWanted{g, slot}) },
		Activity:   g.activity,
		Changed:    func(c pool.Change) { m.post(slotMoved{g, c}) },
		Explain:    func(d *pool.Death) { g.explain(d, m.oom) },
		Log:        log,
	})
	return g, err
}

// bootAtOnce is how many workers may boot at the same time: by default twice the
// number of processors, at least four.
func bootAtOnce(wanted int) int {
	if wanted > 0 {
		return wanted
	}
	return max(2*runtime.GOMAXPROCS(0), 4)
}

// start lets the pool run.
func (g *generation) start(post func(fact)) {
	ctx, cancel := context.WithCancelCause(context.Background())
	g.retire = cancel
	go func() { post(poolEnded{g, g.pool.Run(ctx)}) }()
}

// leave asks every worker to leave.
func (g *generation) leave(why error) {
	g.leaving = true
	g.retire(why)
}

// activity is what the pool knows of the worker in a slot beside its process.
func (g *generation) activity(slot pool.SlotID) pool.Activity {
	s := g.signs[slot].Load()
	if s == nil {
		return pool.Activity{}
	}
	return pool.Activity{Beat: time.Duration(s.beat.Load()), Leaving: s.leaving.Load()}
}

// resize changes how many slots the pool fills, at least one.
func (g *generation) resize(n int) {
	if n = max(n, 1); n != g.size {
		g.size = n
		g.pool.Resize(n)
	}
}

// tally counts the workers of a generation.
type tally struct{ starting, ready, occupied int }

func (g *generation) count() (t tally) {
	for _, w := range g.workers {
		switch w.phase {
		case pool.Starting:
			t.starting++
		case pool.Idle, pool.Busy:
			t.ready++
		case pool.Vacant, pool.Draining, pool.Killed:
		}
		if w.phase != pool.Vacant {
			t.occupied++
		}
	}
	return t
}

// gone reports that nothing of the generation is left.
func (g *generation) gone() bool { return g.ended && len(g.workers) == 0 }
