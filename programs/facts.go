package programs

import (
	"sync"

	"github.com/indrik/indrik/pool"
)

// fact is something that happened outside the master's goroutine.
type fact any

type (
	// spawnWanted: a pool wants a process in the slot.
	spawnWanted struct {
		gen  *generation
		slot pool.SlotID
	}
	// workerSaid: a worker sent a notification.
	workerSaid struct {
		worker *worker
		notice notice
	}
	// workerQuiet: everything that a worker sent before its end has been heard.
	workerQuiet struct{ worker *worker }
	// questionAsked: somebody outside the loop wants an answer from its state. answer
	// must not wait.
	questionAsked struct{ answer func() }
	// slotMoved: a pool moved a slot.
	slotMoved struct {
		gen    *generation
		change pool.Change
	}
	// poolEnded: every process of the generation was reaped.
	poolEnded struct {
		gen *generation
		err error
	}
)

// mailbox keeps facts in the order in which they were posted. It is unbounded,
// because pools must not wait for the master; those who could fill it, the workers'
// notifications, are bounded by ear.
type mailbox struct {
	mu    sync.Mutex
	facts []fact
	wake  chan struct{} // holds one token while facts may be waiting
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
