package mailbox

import "sync"

// Box holds facts of type F in the order in which they were posted. All methods are
// safe from any goroutine; Take and Wake are for the owner.
type Box[F any] struct {
	mu     sync.Mutex
	closed bool
	facts  []F
	wake   chan struct{} // holds one token while facts may be waiting
}

// New returns an empty box.
func New[F any]() *Box[F] { return &Box[F]{wake: make(chan struct{}, 1)} }

// Post adds a fact and reports whether anybody will take it: false after Close. It
// never blocks.
func (b *Box[F]) Post(f F) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.facts = append(b.facts, f)
	select {
	case b.wake <- struct{}{}:
	default: // a token is there already
	}
	return true
}

// Take returns everything posted so far, in order, and empties the box. The slice is the
// caller's.
func (b *Box[F]) Take() []F {
	b.mu.Lock()
	defer b.mu.Unlock()
	facts := b.facts
	b.facts = nil
	return facts
}

// Wake yields at least once after each Post. There may be nothing to take, if an
// earlier Take had it already.
func (b *Box[F]) Wake() <-chan struct{} { return b.wake }

// Close drops what is in the box and refuses what comes from now on.
func (b *Box[F]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.facts = nil
}
