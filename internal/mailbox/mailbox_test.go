package mailbox

import (
	"sync"
	"testing"
)

// Facts of one goroutine keep their order, and none is lost.
func TestBoxKeepsOrder(t *testing.T) {
	const posters, each = 8, 1000
	box := New[[2]int]()
	var posting sync.WaitGroup
	for p := range posters {
		posting.Go(func() {
			for i := range each {
				box.Post([2]int{p, i})
			}
		})
	}
	var next [posters]int
	for heard := 0; heard < posters*each; {
		<-box.Wake()
		for _, got := range box.Take() {
			if got[1] != next[got[0]] {
				t.Fatalf("poster %d: got fact %d, want %d", got[0], got[1], next[got[0]])
			}
			next[got[0]]++
			heard++
		}
	}
	posting.Wait()
	if left := box.Take(); left != nil {
		t.Errorf("left over: %v", left)
	}
}

// What comes after the end is refused, so that whoever posted it can undo it.
func TestClosedBoxRefuses(t *testing.T) {
	box := New[string]()
	box.Post("before")
	box.Close()
	if box.Post("after") {
		t.Error("it took a fact")
	}
	if left := box.Take(); left != nil {
		t.Errorf("left over: %q", left)
	}
}
