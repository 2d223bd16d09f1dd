package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// world is a pool with made-up processes and made-up time. It lives inside a
// synctest bubble, where time passes only when everybody waits.
type world struct {
	*Pool
	t      *testing.T
	log    *logbook
	origin time.Time
	cancel context.CancelCauseFunc
	ran    chan error

	// spawn plays the caller's part; it runs on the owner's goroutine. The
	// default starts a worker that is ready at once and leaves when asked.
	spawn func(SlotID)

	mu        sync.Mutex
	lastPID   int
	procs     map[int]*actor
	ordersAt  []time.Duration // when each order came
	deadSoFar []Death
	asleep    time.Duration // time the machine was suspended
	stopped   time.Duration // time the owner could not run
	activity  map[SlotID]Activity
	vanished  bool // watch finds no process any more
}

// actor is a made-up process.
type actor struct {
	w     *world
	pid   int
	deaf  bool  // ignores SIGTERM
	doom  *Exit // how it has ended already when the pool hears of it
	fails error // what sending a signal answers instead of sending
	ended func(Exit)
	got   []syscall.Signal
	gone  bool
}

// newWorld makes a world and starts its pool. Call it in a bubble.
func newWorld(t *testing.T, cfg Config, prepare func(*world)) *world {
	t.Helper()
	w := &world{
		t: t, origin: time.Now(), lastPID: 1 << 22, // above every real pid
		procs: make(map[int]*actor), activity: make(map[SlotID]Activity),
		log: &logbook{}, ran: make(chan error, 1),
	}
	cfg.Log = w.log.logger()
	cfg.Spawn = func(s SlotID) {
		w.mu.Lock()
		w.ordersAt = append(w.ordersAt, time.Since(w.origin))
		spawn := w.spawn
		w.mu.Unlock()
		spawn(s)
	}
	cfg.Changed = func(c Change) {
		if (c.Death != nil) != (c.To == Vacant) {
			t.Errorf("change %+v: a death goes with becoming vacant", c)
		}
		if c.Death != nil {
			w.mu.Lock()
			w.deadSoFar = append(w.deadSoFar, *c.Death)
			w.mu.Unlock()
		}
	}
	if cfg.Activity != nil {
		cfg.Activity = w.read
	}
	pool, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Pool = pool
	w.spawn = func(s SlotID) { w.Ready(s, w.start(s)) }
	pool.clocks, pool.watch = w.clocks, w.watch
	if prepare != nil {
		prepare(w)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	w.cancel = cancel
	go func() { w.ran <- pool.Run(ctx) }()
	t.Cleanup(func() { w.log.check(t) })
	return w
}

// spawnBy makes f answer the orders from now on.
func (w *world) spawnBy(f func(SlotID)) (before func(SlotID)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, w.spawn = w.spawn, f
	return before
}

// pass lets time go by, and then all that is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// start makes a process and tells the pool.
func (w *world) start(s SlotID) int {
	a := w.birth()
	w.Spawned(s, a.pid)
	return a.pid
}

// startDead makes a process that has ended when the pool is told of it.
func (w *world) startDead(s SlotID, x Exit) {
	a := w.birth()
	a.doom = &x
	w.Spawned(s, a.pid)
}

func (w *world) birth() *actor {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastPID++
	a := &actor{w: w, pid: w.lastPID}
	w.procs[a.pid] = a
	return a
}

// clocks are the bubble's, and what the test has made of them.
func (w *world) clocks() instants {
	w.mu.Lock()
	defer w.mu.Unlock()
	mono := time.Hour + time.Since(w.origin) + w.stopped
	return instants{mono: mono, boot: mono + w.asleep}
}

func (w *world) read(s SlotID) Activity {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.activity[s]
}

func (w *world) set(s SlotID, a Activity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.activity[s] = a
}

func (w *world) watch(pid int, ended func(Exit)) (process, error) {
	w.mu.Lock()
	a := w.procs[pid]
	if a == nil || w.vanished {
		w.mu.Unlock()
		return nil, fmt.Errorf("watch made-up process %d: %w", pid, unix.ESRCH)
	}
	a.ended = ended
	w.mu.Unlock()
	if a.doom != nil {
		a.end(*a.doom)
	}
	return a, nil
}

// Signal makes an actor end by SIGKILL, and by SIGTERM unless it is deaf.
func (a *actor) Signal(sig syscall.Signal) error {
	a.w.mu.Lock()
	a.got = append(a.got, sig)
	deaf, fails := a.deaf, a.fails
	a.w.mu.Unlock()
	switch {
	case fails != nil:
		return fails
	case sig == syscall.SIGKILL:
		a.end(Exit{Status: -1, Signal: sig})
	case sig == syscall.SIGTERM && !deaf:
		a.end(Exit{})
	}
	return nil
}

// Release lets it live, as that of a real one.
func (a *actor) Release() bool {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	gone := a.gone
	a.gone = true // nobody hears of its end
	return !gone
}

// left reports that it has ended, or that nobody would hear of it.
func (a *actor) left() bool {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	return a.gone
}

// signals are those that it got.
func (a *actor) signals() []syscall.Signal {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	return slices.Clone(a.got)
}

// end makes the process end and be reaped.
func (a *actor) end(x Exit) {
	a.w.mu.Lock()
	gone := a.gone
	a.gone = true
	a.w.mu.Unlock()
	if !gone {
		x.PID = a.pid
		a.ended(x)
	}
}

// orders are the instants at which a process was ordered, since the beginning.
func (w *world) orders() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ordersAt)
}

// deaths are those told by Changed.
func (w *world) deaths() []Death {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.deadSoFar)
}

// worker is the process in a slot.
func (w *world) worker(s SlotID) *actor {
	w.t.Helper()
	for _, state := range w.Snapshot() {
		if state.Slot == s && state.PID != 0 {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.procs[state.PID]
		}
	}
	w.t.Fatalf("slot %d is vacant", s)
	return nil
}

// phases are those of all slots, for comparing.
func (w *world) phases() string {
	var words []string
	for _, state := range w.Snapshot() {
		words = append(words, state.Phase.String())
	}
	return strings.Join(words, " ")
}

// stop ends the pool gently and waits for it.
func (w *world) stop() {
	w.t.Helper()
	w.cancel(errTestOver)
	if err := <-w.ran; err != nil {
		w.t.Errorf("Run: %v", err)
	}
}

var errTestOver = errors.New("test over")

// inBubble runs f with time that passes only when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// logbook keeps the warnings and errors of a pool. Each must be expected.
type logbook struct {
	hclog.SinkAdapter
	mu       sync.Mutex
	lines    []string
	expected []string
}

func (l *logbook) logger() hclog.Logger {
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off})
	log.RegisterSink(l)
	return log
}

// Accept is called by hclog for every line.
func (l *logbook) Accept(_ string, level hclog.Level, msg string, args ...any) {
	if level < hclog.Warn {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprint(msg, ": ", args))
}

// expect lets through lines with this message.
func (l *logbook) expect(messages ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = append(l.expected, messages...)
}

// count is how many lines have this message.
func (l *logbook) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if strings.HasPrefix(line, message+": ") {
			n++
		}
	}
	return n
}

// check fails the test for a warning nobody expected, and for an expected one
// that never came.
func (l *logbook) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	came := make(map[string]bool)
	for _, line := range l.lines {
		message, _, _ := strings.Cut(line, ": ")
		came[message] = true
		if message == "pool was stopped" {
			continue // so it was: test machines are shared, and stand still at times
		}
		if !slices.Contains(l.expected, message) {
			t.Errorf("unexpected line in the log: %s", line)
		}
	}
	for _, message := range l.expected {
		if !came[message] {
			t.Errorf("the log never said %q", message)
		}
	}
}
