package pool

import (
	"sync"
	"syscall"
	"time"
)

// mailbox carries facts and orders to the owner. Posting never blocks; the
// bell rings at least once after each post.
type mailbox struct {
	mu     sync.Mutex
	closed bool
	facts  []any
	bell   chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{bell: make(chan struct{}, 1)}
}

// post adds a fact and reports whether anybody will read it.
func (m *mailbox) post(fact any) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.facts = append(m.facts, fact)
	select {
	case m.bell <- struct{}{}:
	default: // it rings already
	}
	return true
}

// take empties the mailbox. The result is in the order of posting.
func (m *mailbox) take() []any {
	m.mu.Lock()
	defer m.mu.Unlock()
	facts := m.facts
	m.facts = nil
	return facts
}

// close refuses what comes from now on.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.facts = nil
}

// What the owner is told: facts in the past tense, orders in the imperative.
// This list is closed; Pool.heard has a case for each.
type (
	wasSpawned struct {
		slot SlotID
		pid  int
	}
	spawnFailed struct {
		slot SlotID
		err  error
	}
	becameReady struct {
		slot SlotID
		pid  int
	}
	saidWhy struct {
		slot  SlotID
		cause Cause
	}
	hasEnded struct {
		slot  SlotID
		stray bool // it was never let into the slot
		exit  Exit
	}
	resizeTo   struct{ size int }
	retireSlot struct {
		slot SlotID
		pid  int // 0: whoever it is
		why  string
	}
	replaceSlot struct {
		slot SlotID
		pid  int
		why  string
	}
	killAll   struct{}
	parkAll   struct{ parked, still bool }
	signalAll struct{ sig syscall.Signal }
	signalOne struct {
		slot SlotID
		pid  int
		sig  syscall.Signal
	}
	dismissSlot struct {
		slot  SlotID
		pid   int
		cause Cause
	}
	extendSlot struct {
		slot SlotID
		pid  int
		by   time.Duration
	}
	describe struct{ answer chan<- []SlotState }
	suspend  struct{ answer chan<- State }
)
