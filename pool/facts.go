package pool

import (
	"syscall"
	"time"
)

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
