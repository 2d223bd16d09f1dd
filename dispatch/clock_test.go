package dispatch

import (
	"testing"
	"time"
)

func TestMonotonicIsTheKernelsClock(t *testing.T) {
	for range 20 {
		before := kernelClock()
		got := Monotonic()
		after := kernelClock()
		// It may be behind by what bothClocks could not avoid, and never ahead.
		if got > after || got < before-int64(time.Millisecond) {
			t.Fatalf("got %d, want between %d and %d", got, before, after)
		}
		time.Sleep(time.Millisecond) // for the clocks to differ, if they do not run alike
	}
}

func BenchmarkMonotonicBySystemCall(b *testing.B) {
	for b.Loop() {
		kernelClock()
	}
}
