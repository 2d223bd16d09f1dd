package master

import (
	"sync"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// fact is something that happened outside the master's goroutine.
type fact any

type (
	// childSaid: the gateway or a mold sent a message.
	childSaid struct {
		child *child
		msg   dispatch.Tuple
	}
	// childHungUp: no message of this child will come any more.
	childHungUp struct {
		child *child
		err   error
	}
	// childEnded: the child was reaped.
	childEnded struct {
		child *child
		exit  pool.Exit
	}
	// workerSaid: a worker sent a message on its report socket.
	workerSaid struct {
		worker *worker
		msg    dispatch.Tuple
	}
	// workerHungUp: the report socket is at its end, or nobody waits for it
	// any longer.
	workerHungUp struct{ worker *worker }
	// spawnWanted: the pool wants a process in the slot.
	spawnWanted struct {
		gen  *generation
		slot pool.SlotID
	}
	// strayEnded: a worker that the pool never had was reaped.
	strayEnded struct{ gen *generation }
	// slotMoved: the pool moved a slot.
	slotMoved struct {
		gen    *generation
		change pool.Change
	}
	// workersWeighed: the memory of workers was looked at.
	workersWeighed struct {
		gen     *generation
		weights []weight
	}
	// poolEnded: every worker of the generation was reaped and none will come.
	poolEnded struct {
		gen *generation
		err error
	}
)

// mailbox keeps facts in the order in which they were posted. It is unbounded,
// because those who post must never wait for the master: the pool calls us
// while it owns its slots. What can be in it is bounded by the number of
// processes, which all have limits.
type mailbox struct {
	mu    sync.Mutex
	facts []fact
	// wake holds one token while facts may be waiting.
	wake chan struct{}
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post adds a fact. Safe from any goroutine; never blocks.
func (b *mailbox) post(f fact) {
	b.mu.Lock()
	b.facts = append(b.facts, f)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take returns everything posted so far and empties the mailbox.
func (b *mailbox) take() []fact {
	b.mu.Lock()
	defer b.mu.Unlock()
	facts := b.facts
	b.facts = nil
	return facts
}
