package pool

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/indrik/indrik/internal/mailbox"
)

// MaxSize is the largest number of slots a pool may have.
const MaxSize = 1024

// Config is what a pool is made from. Its functions are called on the owner's
// goroutine, one at a time; they must not block, and must not call
// [Pool.Snapshot], which waits for that goroutine.
type Config struct {
	// Size is the number of slots wanted, 1 to MaxSize.
	Size int
	// BootAtOnce bounds how many workers are on their way to be ready at a time,
	// from the order to spawn on; 0 for no bound.
	BootAtOnce int
	// Limits end workers that take too long.
	Limits Limits
	// Budget bounds how fast workers that die are replaced.
	Budget Budget
	// Spawn orders the start of a process for a slot. The outcome is told
	// with Spawned or SpawnFailed, from any goroutine, also from inside
	// Spawn. An order that stays unanswered for Limits.Boot (30 s if that is
	// 0) is given again. Required.
	Spawn func(SlotID)
	// Activity reads what the slot's worker last wrote about itself. It is
	// called every tick for a slot that is idle or busy, and once more when
	// its worker was reaped. A tick is a quarter of the shorter of
	// Limits.Busy and Limits.Beat, at most 1 s. Nil means that nobody knows:
	// workers are then never Busy, and neither limit may be set.
	Activity func(SlotID) Activity
	// Changed is told every move after it happened. May be nil.
	Changed func(Change)
	// StopSignal asks a worker to leave; 0 means SIGTERM.
	StopSignal syscall.Signal
	// Statuses names exit statuses by which a worker that was never ready
	// says why it left, for instance 4: LoadFailed. It makes the cause
	// certain: what the worker says in words (Failed) may arrive after its
	// end. May be nil.
	Statuses map[int]Cause
	// Explain is told of a death before anybody else, and may put another Cause and
	// further Facts into it. May be nil.
	Explain func(*Death)
	// Report is given the one line about a death before Changed hears of it, to have it
	// wait for what others know: write writes it, with further facts, keys and values in
	// turn. It is called once, on any goroutine, perhaps after Run has returned. Nil: the
	// line is written at once.
	Report func(d *Death, write func(more ...any))
	// Slots bounds how many slots there may ever be, so that a worker that is
	// replaced and its successor have one each; 0 for any number. Without a spare one
	// a worker leaves before its successor comes.
	Slots int
	// Log gets one line for each death and each surprise, and at debug level
	// one for each move. Nil means no log.
	Log hclog.Logger
}

// Change is one move of a slot.
type Change struct {
	Slot     SlotID
	PID      int // of the process that moved, also when To is Vacant
	From, To Phase
	Death    *Death // set when To is Vacant; the receiver may keep it
}

// SlotState is what [Pool.Snapshot] says about a slot.
type SlotState struct {
	Slot     SlotID
	Phase    Phase
	PID      int           // 0 if vacant
	For      time.Duration // how long it has been in this phase
	Ordered  bool          // vacant, and a process has been ordered
	Wait     time.Duration // vacant: until a process is ordered; 0 if nothing holds it back
	Restarts uint64        // deaths in this slot that were its workers' fault
}

// Pool keeps workers alive. Make one with [New]; its methods may be called
// from any goroutine, before, during and after Run.
type Pool struct {
	cfg  Config
	log  hclog.Logger
	mail *mailbox.Box[any]

	ran     atomic.Bool
	done    chan struct{} // closed when Run has ended
	pending atomic.Int64  // orders to spawn without an answer
	kin     kin           // processes told of and not reaped

	// What follows belongs to the owner's goroutine.
	rules rules
	size  int // slots wanted
	slots []*slot
	exchange
	drained string // why nothing is wanted any more
	strays  map[int]process
	purse   purse
	spent   bool         // the budget was exceeded by the last death
	asked   chan<- State // who suspends the pool waits here; nil if nobody does
	sleeper
	clocks func() instants
	watch  func(pid int, ended func(Exit)) (process, error)
}

// New checks cfg and makes a pool that Run starts.
func New(cfg Config) (*Pool, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.Budget = cfg.Budget.withDefaults()
	if cfg.StopSignal == 0 {
		cfg.StopSignal = syscall.SIGTERM
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	p := &Pool{
		cfg:    cfg,
		log:    cfg.Log,
		mail:   mailbox.New[any](),
		done:   make(chan struct{}),
		size:   cfg.Size,
		rules:  rules{serving: true, limits: cfg.Limits, atOnce: cfg.BootAtOnce},
		strays: make(map[int]process),
		clocks: readClocks,
		watch: func(pid int, ended func(Exit)) (process, error) {
			proc, err := watch(pid, ended)
			if err != nil {
				return nil, err // not proc: a nil *Process would not be a nil process
			}
			return proc, nil
		},
	}
	p.resize(cfg.Size)
	return p, nil
}

func (c Config) check() error {
	if c.Size < 1 || c.Size > MaxSize {
		return fmt.Errorf("pool of %d slots: want 1 to %d", c.Size, MaxSize)
	}
	if c.Spawn == nil {
		return errors.New("pool without Spawn: nothing could start its workers")
	}
	if c.BootAtOnce < 0 {
		return fmt.Errorf("pool with %d workers booting at once: want 1 or more, or 0 for any number", c.BootAtOnce)
	}
	l, b := c.Limits, c.Budget
	if min(l.Boot, l.Busy, l.Request, l.Grace, l.Beat, l.Abort, l.Age, l.AgeJitter) < 0 {
		return fmt.Errorf("pool limits %+v: negative", l)
	}
	if c.Activity == nil && max(l.Busy, l.Request, l.Beat) > 0 {
		return errors.New("pool without Activity: limits on Busy, Request and Beat could not be kept")
	}
	if c.Slots != 0 && c.Slots < c.Size {
		return fmt.Errorf("pool of %d slots with room for %d", c.Size, c.Slots)
	}
	if min(b.Period, b.BackoffMin, b.BackoffMax, time.Duration(b.Restarts)) < 0 {
		return fmt.Errorf("pool budget %+v: negative", b)
	}
	if b.BackoffMax > 0 && b.BackoffMax < b.BackoffMin {
		return fmt.Errorf("pool budget %+v: BackoffMax is below BackoffMin", b)
	}
	return nil
}

// Spawned tells that the process pid was started for slot. From here on it is
// the pool's to watch and to reap; it may have ended already. An unordered
// process is taken into a vacant slot (so a caller can hand over workers it
// has from before) and killed if the slot is taken. After Run has ended the
// process stays the caller's.
//
// An [os.Process] for it must be released ([os.Process.Release]) and not
// waited for: it holds a descriptor of its own.
func (p *Pool) Spawned(slot SlotID, pid int) {
	p.kin.add(pid) // before the owner hears of it, or a sweep might take it
	if !p.mail.Post(wasSpawned{slot, pid}) {
		p.kin.remove(pid)
	}
}

// SpawnFailed tells that no process could be started for slot; the pool waits
// and orders it again.
func (p *Pool) SpawnFailed(slot SlotID, err error) { p.mail.Post(spawnFailed{slot, err}) }

// Ready tells that process pid of slot can take requests. It may be told
// before Spawned. If pid is not the slot's process, the message is late and
// nothing happens.
func (p *Pool) Ready(slot SlotID, pid int) { p.mail.Post(becameReady{slot, pid}) }

// Failed tells what the slot's process itself said about why it is about to
// leave, LoadFailed or BootFailed. It becomes the cause of its death, if that
// comes before it is ready. See also Config.Statuses.
func (p *Pool) Failed(slot SlotID, cause Cause) { p.mail.Post(saidWhy{slot, cause}) }

// Resize changes the number of slots wanted to n, brought into 1 to MaxSize, or
// Config.Slots. The workers that are too many are retired, highest slot first.
func (p *Pool) Resize(n int) { p.mail.Post(resizeTo{min(max(n, 1), MaxSize)}) }

// Retire replaces the worker of slot gently: it is asked to leave, and the
// next is ordered when it has. A vacant slot is left alone.
func (p *Pool) Retire(slot SlotID) { p.mail.Post(retireSlot{slot: slot}) }

// RetireFor is Retire with a reason for the log, and only if pid is still the process
// that holds the slot.
func (p *Pool) RetireFor(slot SlotID, pid int, why string) { p.mail.Post(retireSlot{slot, pid, why}) }

// Replace replaces the worker of slot, if pid is still the process that holds it,
// as soon as a successor is ready, which comes into another slot. Workers to be
// replaced wait for each other, so that one at most is there in surplus. why is the
// reason, for the log and for the Death.
//
// A successor that cannot boot is tried again with growing pauses, and the worker
// stays meanwhile. If it ends by itself, the successor has its place.
func (p *Pool) Replace(slot SlotID, pid int, why string) { p.mail.Post(replaceSlot{slot, pid, why}) }

// Dismiss kills the worker of slot, if pid is still the process that holds it,
// and gives its death that cause.
func (p *Pool) Dismiss(slot SlotID, pid int, cause Cause) {
	p.mail.Post(dismissSlot{slot, pid, cause})
}

// Extend gives the worker of slot more time, if pid is still the process that holds
// it: no deadline of the phase it is in passes before d from now. It lengthens
// only, and the next phase has its own limit. d is at least 0.
func (p *Pool) Extend(slot SlotID, pid int, d time.Duration) {
	p.mail.Post(extendSlot{slot, pid, max(d, 0)})
}

// Kill ends the pool now: every worker is killed, and Run returns when they
// have been reaped. Call it when draining takes too long.
func (p *Pool) Kill() { p.mail.Post(killAll{}) }

// Signal sends sig to every worker. What it does is the workers' business: it must
// not be one by which they end.
func (p *Pool) Signal(sig syscall.Signal) { p.mail.Post(signalAll{sig}) }

// SignalOne sends sig to the worker of slot, if pid is still the process that holds
// it: it can reach no other process, whoever has that number by now.
func (p *Pool) SignalOne(slot SlotID, pid int, sig syscall.Signal) {
	p.mail.Post(signalOne{slot, pid, sig})
}

// Snapshot describes every slot that is wanted or occupied, in order. The
// owner answers, so it waits for Run to begin; it is nil after Run has ended.
func (p *Pool) Snapshot() []SlotState {
	answer := make(chan []SlotState, 1)
	p.mail.Post(describe{answer})
	select {
	case states := <-answer:
		return states
	case <-p.done:
		return nil
	}
}

// Knows reports whether the pool was told of process pid and has not reaped
// it yet. It is for [SweepOrphans].
func (p *Pool) Knows(pid int) bool { return p.kin.has(pid) }

// SpawnPending reports whether an order to spawn is unanswered. It is for
// [SweepOrphans].
func (p *Pool) SpawnPending() bool { return p.pending.Load() > 0 }
