package pool

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/indrik/indrik/internal/fdcheck"
	"github.com/indrik/indrik/internal/testproc"
)

// crew is a pool whose workers are real processes playing parts.
type crew struct {
	*Pool
	t       *testing.T
	log     *logbook
	cancel  context.CancelCauseFunc
	ran     chan error
	changes chan Change
	orders  chan time.Time
	readers sync.WaitGroup

	// started, if set, sees each process after it was started and before
	// the pool is told.
	started func(SlotID, *os.Process)
	order   *os.File // the second file of every part
	acts    [8]struct{ beat, since atomic.Int64 }
}

// newCrew starts a pool; cast names the part that the nth worker plays, from 0.
// At the end of the test everything must be gone.
func newCrew(t *testing.T, cfg Config, cast func(nth int) string, prepare ...func(*crew)) *crew {
	t.Helper()
	noGoroutineLeft(t)
	fdcheck.NoLeak(t)
	order, _ := pipe(t)
	c := &crew{
		t: t, log: &logbook{}, ran: make(chan error, 1), order: order,
		changes: make(chan Change, 1000), orders: make(chan time.Time, 1000),
	}
	cfg.Log = c.log.logger()
	cfg.Changed = func(change Change) { c.changes <- change }
	var starts atomic.Int64
	cfg.Spawn = func(s SlotID) {
		c.orders <- time.Now()
		nth := int(starts.Add(1)) - 1
		c.readers.Go(func() { c.start(s, cast(nth)) })
	}
	if cfg.Limits.Beat > 0 || cfg.Limits.Busy > 0 {
		cfg.Activity = c.activity
	}
	pool, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Pool = pool
	for _, f := range prepare {
		f(c)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	c.cancel = cancel
	go func() { c.ran <- pool.Run(ctx) }()
	t.Cleanup(func() {
		c.Kill() // if the test failed before it ended the pool
		c.end()
		c.readers.Wait()
		c.log.check(t)
	})
	return c
}

// start starts a worker, tells the pool, and passes on what the worker says
// until it ends.
func (c *crew) start(s SlotID, part string) {
	r, w, err := os.Pipe()
	if err != nil {
		c.SpawnFailed(s, err)
		return
	}
	defer func() { _ = r.Close() }() // read side
	c.acts[s].beat.Store(0)
	c.acts[s].since.Store(0)
	cmd, err := testproc.TryStart(c.t, part, w, c.order)
	_ = w.Close() // the child has its own
	if err != nil {
		c.t.Error(err)
		c.SpawnFailed(s, err)
		return
	}
	if c.started != nil {
		c.started(s, cmd.Process)
	}
	c.Spawned(s, cmd.Process.Pid)
	var said [1]byte
	for {
		if _, err := r.Read(said[:]); err != nil {
			return
		}
		switch said[0] {
		case saysReady:
			c.Ready(s, cmd.Process.Pid)
		case saysBeat:
			c.acts[s].beat.Store(int64(readClocks().mono))
		case saysBusy:
			c.acts[s].since.Store(int64(readClocks().mono))
		}
	}
}

func (c *crew) activity(s SlotID) Activity {
	since := time.Duration(c.acts[s].since.Load())
	return Activity{Beat: time.Duration(c.acts[s].beat.Load()), Busy: since != 0, Since: since}
}

// until waits for a change that f accepts.
func (c *crew) until(what string, f func(Change) bool) Change {
	c.t.Helper()
	late := time.After(limit)
	for {
		select {
		case change := <-c.changes:
			if f(change) {
				return change
			}
		case <-late:
			c.t.Fatalf("%s: it never came", what)
		}
	}
}

func (c *crew) untilPhase(to Phase) Change {
	c.t.Helper()
	return c.until(to.String(), func(change Change) bool { return change.To == to })
}

func (c *crew) untilDeath() Death {
	c.t.Helper()
	return *c.untilPhase(Vacant).Death
}

// end waits until Run has returned. Later calls do nothing.
func (c *crew) end() {
	select {
	case err, open := <-c.ran:
		if err != nil {
			c.t.Errorf("Run: %v", err)
		}
		if open {
			close(c.ran)
		}
	case <-time.After(limit):
		c.t.Error("the pool has not ended")
	}
}

// stop drains the pool.
func (c *crew) stop() {
	c.t.Helper()
	c.cancel(errTestOver)
	c.end()
}

// always casts every worker with the same part.
func always(part string) func(int) string { return func(int) string { return part } }

// once casts the first worker with part; those that follow serve.
func once(part string) func(int) string {
	return func(nth int) string {
		if nth == 0 {
			return part
		}
		return "serves"
	}
}
