package dispatch

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func dupCloexec(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

func newScoreboard(t *testing.T, loops, slots, seats int) *Scoreboard {
	t.Helper()
	s, err := NewScoreboard(loops, slots, seats)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Gateway and workers find what the master made, each through its own mapping.
func TestOpenScoreboardSeesTheSameWords(t *testing.T) {
	t.Parallel()
	s := newScoreboard(t, 2, 3, 4)
	fd, err := dupCloexec(s.FD())
	if err != nil {
		t.Fatal(err)
	}
	o, err := OpenScoreboard(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Loops() != 2 || o.Slots() != 3 || o.Seats() != 4 || o.FD() != fd {
		t.Fatalf("opened: %d loops, %d slots, %d seats, fd %d; want 2, 3, 4, %d", o.Loops(), o.Slots(), o.Seats(), o.FD(), fd)
	}
	for i := range 2 {
		s.Loop(i).SetAnswered(uint64(100 + i))
	}
	for slot := range 3 {
		for seat := range 4 {
			s.Seat(slot, seat).Occupy(1000+10*slot+seat, 7)
		}
	}
	for i := range 2 {
		if got := o.Loop(i).Answered(); got != uint64(100+i) {
			t.Errorf("loop %d answered %d, want %d", i, got, 100+i)
		}
	}
	for slot := range 3 {
		for seat := range 4 {
			if got, want := o.Seat(slot, seat).PID(), 1000+10*slot+seat; got != want {
				t.Errorf("slot %d seat %d has pid %d, want %d", slot, seat, got, want)
			}
		}
	}
}

// The layout of docs/protocol.md, word by word.
func TestScoreboardLayout(t *testing.T) {
	t.Parallel()
	s := newScoreboard(t, 3, 2, 5)
	words := unsafe.Slice((*uint64)(unsafe.Pointer(&s.mem[0])), len(s.mem)/8)
	if want := 8 * (1 + 3 + 2*5); len(words) != want {
		t.Fatalf("%d words, want %d", len(words), want)
	}
	loop, seat := s.Loop(2), s.Seat(1, 4)
	loop.SetBeat(21)
	loop.SetConnections(22)
	loop.SetQueued(23)
	loop.SetDispatched(24)
	loop.SetAnswered(25)
	loop.SetAccepted(26)
	seat.SetBeat(31)
	seat.Begin(32, 33)
	seat.Occupy(35, 36)
	for row, want := range map[int][8]uint64{
		0:           {0x494E4452494B5342, 1, 3, 2, 5},
		1 + 2:       {21, 22, 23, 24, 25, 26},
		1 + 3:       {},
		1 + 3 + 5*1: {},
		1 + 3 + 9:   {31, 32, 33, 0, 35, 36},
	} {
		if got := [8]uint64(words[8*row:]); got != want {
			t.Errorf("row %d is %v, want %v", row, got, want)
		}
	}
}

// What the master reads of a worker that it has just reaped.
func TestSeatRowTellsTheRequestInHand(t *testing.T) {
	t.Parallel()
	row := newScoreboard(t, 1, 1, 1).Seat(0, 0)
	expect := func(when string, wantID uint64, wantStart int64, wantAnswered uint64) {
		t.Helper()
		if id, start := row.Request(); id != wantID || start != wantStart || row.Answered() != wantAnswered {
			t.Errorf("%s: id %d, start %d, answered %d; want %d, %d, %d", when, id, start, row.Answered(), wantID, wantStart, wantAnswered)
		}
	}
	row.Occupy(42, 2)
	expect("at first", 0, 0, 0)
	row.Begin(1<<61, 5)
	expect("begun", 1<<61, 5, 0)
	row.End()
	expect("ended", 0, 0, 1)
	row.Begin(9, 6)
	row.Clear()
	expect("cleared", 0, 0, 0)
	if row.PID() != 0 || row.Generation() != 0 || row.Beat() != 0 {
		t.Errorf("cleared: pid %d, generation %d, beat %d", row.PID(), row.Generation(), row.Beat())
	}
}

// Nobody who has the descriptor can make the others' reads end in SIGBUS.
func TestScoreboardCannotChangeItsSize(t *testing.T) {
	t.Parallel()
	s := newScoreboard(t, 1, 1, 1)
	for _, size := range []int64{0, 64, 1 << 20} {
		if err := unix.Ftruncate(s.FD(), size); !errors.Is(err, unix.EPERM) {
			t.Errorf("truncate to %d: %v, want EPERM", size, err)
		}
	}
	if _, err := unix.FcntlInt(uintptr(s.FD()), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("seal against writing: %v, want EPERM", err)
	}
	if flags, err := unix.FcntlInt(uintptr(s.FD()), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v; want close-on-exec", flags, err)
	}
}

func TestNewScoreboardRefusesDimensions(t *testing.T) {
	t.Parallel()
	for _, d := range [][3]int{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {-1, 1, 1}, {65, 1, 1}, {1, 4097, 1}, {1, 1, 65537}, {1, 4096, 65536}} {
		if s, err := NewScoreboard(d[0], d[1], d[2]); err == nil {
			t.Errorf("%v: no error", d)
			_ = s.Close()
		}
	}
}

// A descriptor that is something else must be refused, by name and without a leak,
// before anybody writes to it.
func TestOpenScoreboardRefuses(t *testing.T) { // not parallel: counts descriptors
	before := openFiles(t)
	for name, c := range map[string]struct {
		words []uint64
		size  int
		seals int
		want  string
	}{
		"empty":             {nil, 0, seals, "0 bytes"},
		"odd size":          {nil, 100, seals, "100 bytes"},
		"not sealed":        {[]uint64{scoreboardMagic, 1, 1, 1, 1}, 192, 0, "not sealed"},
		"may shrink":        {[]uint64{scoreboardMagic, 1, 1, 1, 1}, 192, unix.F_SEAL_GROW, "not sealed"},
		"bad magic":         {[]uint64{scoreboardMagic + 1, 1, 1, 1, 1}, 192, seals, "magic"},
		"other version":     {[]uint64{scoreboardMagic, 2, 1, 1, 1}, 192, seals, "version 2"},
		"too few rows":      {[]uint64{scoreboardMagic, 1, 1, 1, 2}, 192, seals, "3 rows, its header says 4"},
		"too many rows":     {[]uint64{scoreboardMagic, 1, 1, 1, 1}, 256, seals, "4 rows, its header says 3"},
		"no loops":          {[]uint64{scoreboardMagic, 1, 0, 1, 1}, 128, seals, "out of range"},
		"product overflows": {[]uint64{scoreboardMagic, 1, 1, 1 << 63, 1 << 63}, 192, seals, "out of range"},
		"negative":          {[]uint64{scoreboardMagic, 1, 1<<64 - 1, 1, 1}, 192, seals, "out of range"},
	} {
		fd := foreignMemory(t, c.words, c.size, c.seals)
		if s, err := OpenScoreboard(fd); err == nil {
			t.Errorf("%s: no error", name)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.want)
		}
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenScoreboard(null); err == nil {
		t.Error("/dev/null: no error")
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func foreignMemory(t *testing.T, words []uint64, size, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for _, w := range words {
		for i := range 8 {
			data = append(data, byte(w>>(8*i)))
		}
	}
	if _, err := unix.Pwrite(fd, data, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

// A mistaken index must not reach into another row.
func TestRowsOutOfRangePanic(t *testing.T) {
	t.Parallel()
	s := newScoreboard(t, 2, 3, 4)
	for name, call := range map[string]func(){
		"loop 2":  func() { s.Loop(2) },
		"loop -1": func() { s.Loop(-1) },
		"slot 3":  func() { s.Seat(3, 0) },
		"seat 4":  func() { s.Seat(0, 4) },
		"seat -1": func() { s.Seat(1, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

// openFiles counts the descriptors of this process, the one it counts with left out.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1
}
