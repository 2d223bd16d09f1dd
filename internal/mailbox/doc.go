// Package mailbox carries facts from any goroutine to the one that owns a state.
//
// The owner waits for Wake beside its other channels, and then takes all that has come:
//
//	select {
//	case <-box.Wake():
//		for _, fact := range box.Take() { … }
//	case <-tick.C:
//	}
//
// A box is unbounded, because those who post must never wait for an owner that may be
// waiting for them. What bounds it is the number of those who post: processes, and
// their connections, which have limits of their own.
package mailbox
