package dispatch

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func newCounters(t *testing.T, blocks, words int) *Counters {
	t.Helper()
	c, err := NewCounters(blocks, words)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// What a gateway counts, its master reads through a mapping of its own, and no
// number is another's.
func TestCountersAreShared(t *testing.T) {
	t.Parallel()
	c := newCounters(t, 3, 13)
	fd, err := dupCloexec(c.FD())
	if err != nil {
		t.Fatal(err)
	}
	o, err := OpenCounters(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Blocks() != 3 || o.Words() != 13 || o.FD() != fd {
		t.Fatalf("opened: %d blocks of %d, fd %d; want 3 of 13, fd %d", o.Blocks(), o.Words(), o.FD(), fd)
	}
	want := make([]uint64, 13)
	for i := range 3 {
		for word := range 13 {
			n := uint64(100*i + word + 1)
			o.Block(i)[word] = n
			want[word] += n
		}
	}
	sum := make([]uint64, 13)
	if c.Load(sum); !slices.Equal(sum, want) {
		t.Errorf("added up %v, want %v", sum, want)
	}
	c.Reset(12)
	if want[12] = 0; !slices.Equal(load(o, 13), want) {
		t.Errorf("after a reset %v, want %v", load(o, 13), want)
	}
}

func load(c *Counters, words int) []uint64 {
	sum := make([]uint64, words)
	c.Load(sum)
	return sum
}

// Master and gateway may be of two versions, one of which counts more.
func TestCountersOfAnotherLength(t *testing.T) {
	t.Parallel()
	c := newCounters(t, 2, 3)
	c.Block(0)[2], c.Block(1)[2] = 4, 5
	if got := load(c, 5); !slices.Equal(got, []uint64{0, 0, 9, 0, 0}) {
		t.Errorf("into more numbers: %v", got)
	}
	if got := load(c, 2); !slices.Equal(got, []uint64{0, 0}) {
		t.Errorf("into fewer numbers: %v", got)
	}
}

func TestOpenCountersRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*Counters)
		want  string
	}{
		"another magic":    {func(c *Counters) { c.header()[0].Store(scoreboardMagic) }, "no counters"},
		"another version":  {func(c *Counters) { c.header()[1].Store(9) }, "version 9"},
		"too many numbers": {func(c *Counters) { c.header()[3].Store(1 << 40) }, "out of range"},
		"more than it has": {func(c *Counters) { c.header()[2].Store(7) }, "their header says 8"},
		"more than fits":   {func(c *Counters) { c.header()[3].Store(100) }, "their header says"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := newCounters(t, 2, 3)
			c.spoil(made)
			fd, err := dupCloexec(made.FD())
			if err != nil {
				t.Fatal(err)
			}
			if _, err = OpenCounters(fd); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
				t.Errorf("the descriptor is still open: %v", err)
			}
		})
	}
	if _, err := NewCounters(0, 1); err == nil {
		t.Error("no blocks at all were made")
	}
	if _, err := NewCounters(1, maxWords+1); err == nil {
		t.Error("too many numbers were made")
	}
}
