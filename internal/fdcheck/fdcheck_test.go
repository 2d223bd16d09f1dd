package fdcheck

import (
	"os"
	"strings"
	"testing"
)

// If a descriptor that is still open were not seen, every leak test of the
// project would pass for nothing.
func TestAnOpenFileIsSeenAndAClosedOneIsNot(t *testing.T) {
	before, err := List()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	during, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if left := beyond(before, during); len(left) != 1 || !strings.HasSuffix(left[0], "→ /dev/null") {
		t.Errorf("with /dev/null open: got %q, want just that", left)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if left := beyond(before, after); len(left) != 0 {
		t.Errorf("after close: got %q, want none", left)
	}
}

// A descriptor that was closed and whose number now means something else is a
// leak too: counting alone would not see it.
func TestAReplacedDescriptorIsALeak(t *testing.T) {
	left := beyond(map[int]string{3: "/a", 4: "/b"}, map[int]string{3: "/c"})
	if len(left) != 1 || left[0] != "3 → /c" {
		t.Errorf("got %q, want 3 → /c", left)
	}
}

func TestCountDoesNotCountItself(t *testing.T) {
	first, err := Count()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Count()
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("counted %d, then %d", first, second)
	}
}

func TestNoLeakIsContentWithATestThatCloses(t *testing.T) {
	NoLeak(t)
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // read side
}
