package master

import (
	"sync"
	"testing"
)

// Facts of one goroutine keep their order, and none is lost.
func TestMailboxKeepsOrder(t *testing.T) {
	const posters, each = 8, 1000
	box := newMailbox()
	var posting sync.WaitGroup
	for p := range posters {
		posting.Go(func() {
			for i := range each {
				box.post([2]int{p, i})
			}
		})
	}
	var next [posters]int
	for heard := 0; heard < posters*each; {
		<-box.wake
		for _, f := range box.take() {
			got := f.([2]int)
			if got[1] != next[got[0]] {
				t.Fatalf("poster %d: got fact %d, want %d", got[0], got[1], next[got[0]])
			}
			next[got[0]]++
			heard++
		}
	}
	posting.Wait()
	if left := box.take(); left != nil {
		t.Errorf("left over: %v", left)
	}
}
