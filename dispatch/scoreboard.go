package dispatch

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	scoreboardMagic   = 0x494E4452494B5342 // INDRIKSB, read from the highest byte
	scoreboardVersion = 1

	rowWords = 8
	rowBytes = rowWords * 8

	// MaxLoops is the largest number of gateway loops: a request's id has six bits
	// for its loop.
	MaxLoops = 64

	maxSlots = 1 << 12
	maxSeats = 1 << 16
	maxRows  = 1 << 22 // 256 MiB, which takes memory only where it was written

	seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW
)

// A Scoreboard is the memory that master, gateway and workers share: a row for
// each gateway loop and for each seat, laid out in docs/protocol.md. Each row has
// one process that writes it, and everybody reads all of them: words are read and
// written whole, nothing is locked, and two words of a row need not belong
// together unless the accessor says so.
//
// Its methods may be called by several goroutines at a time, but Close only when
// nobody uses the scoreboard or one of its rows any more: the memory is gone then.
type Scoreboard struct {
	fd                  int
	mem                 []byte
	loops, slots, seats int
}

// NewScoreboard makes a scoreboard for so many gateway loops (1 to MaxLoops),
// slots (1 to 4096) and seats in each slot (1 to 65536), but not for more than
// four million seats in all. It lies in a memfd which is close-on-exec and sealed
// against any change of size, so that no process can take the memory away from
// under another (SIGBUS).
func NewScoreboard(loops, slots, seats int) (*Scoreboard, error) {
	rows, err := countRows(loops, slots, seats)
	if err != nil {
		return nil, fmt.Errorf("new scoreboard: %w", err)
	}
	fd, err := sealedMemory("indrik-scoreboard", rows*rowBytes)
	if err != nil {
		return nil, fmt.Errorf("new scoreboard: %w", err)
	}
	s, err := mapScoreboard(fd, rows)
	if err != nil {
		return nil, fmt.Errorf("new scoreboard: %w", err)
	}
	s.loops, s.slots, s.seats = loops, slots, seats
	header := s.row(0)
	for i, word := range []uint64{scoreboardMagic, scoreboardVersion, uint64(loops), uint64(slots), uint64(seats)} {
		header[i].Store(word)
	}
	return s, nil
}

// OpenScoreboard maps a scoreboard that another process made, and checks that it
// is one of this version, whole and sealed. The descriptor belongs to the
// scoreboard from then on; it is closed also if OpenScoreboard fails.
func OpenScoreboard(fd int) (*Scoreboard, error) {
	unix.CloseOnExec(fd)
	s, err := openScoreboard(fd)
	if err != nil {
		return nil, fmt.Errorf("open scoreboard on fd %d: %w", fd, err)
	}
	return s, nil
}

func openScoreboard(fd int) (*Scoreboard, error) {
	rows, err := sealedRows(fd)
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, err
	}
	s, err := mapScoreboard(fd, rows)
	if err != nil {
		return nil, err
	}
	if err := s.readHeader(rows); err != nil {
		_ = s.Close() // the header's error says more
		return nil, err
	}
	return s, nil
}

// readHeader takes the dimensions from the header, if they fit the size.
func (s *Scoreboard) readHeader(rows int) error {
	header := s.row(0)
	if magic := header[0].Load(); magic != scoreboardMagic {
		return fmt.Errorf("not a scoreboard: magic %#x", magic)
	}
	if version := header[1].Load(); version != scoreboardVersion {
		return fmt.Errorf("scoreboard of version %d, not %d", version, scoreboardVersion)
	}
	s.loops, s.slots, s.seats = dimension(header[2].Load()), dimension(header[3].Load()), dimension(header[4].Load())
	want, err := countRows(s.loops, s.slots, s.seats)
	if err != nil {
		return err
	}
	if want != rows {
		return fmt.Errorf("scoreboard of %d rows, its header says %d", rows, want)
	}
	return nil
}

// dimension keeps a word of the header in the range of int.
func dimension(word uint64) int { return int(min(word, maxRows)) }

func countRows(loops, slots, seats int) (int, error) {
	rows := 1 + loops + slots*seats
	if loops < 1 || loops > MaxLoops || slots < 1 || slots > maxSlots || seats < 1 || seats > maxSeats || rows > maxRows {
		return 0, fmt.Errorf("scoreboard of %d loops, %d slots, %d seats: out of range", loops, slots, seats)
	}
	return rows, nil
}

// sealedMemory makes a memfd of size zero bytes that can neither shrink nor grow.
func sealedMemory(name string, size int) (fd int, err error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err = unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3 does not know the last flag
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	if err = unix.Ftruncate(fd, int64(size)); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return -1, fmt.Errorf("size and seal a memfd of %d bytes: %w", size, err)
	}
	return fd, nil
}

// sealedRows returns the number of rows that a foreign descriptor has room for.
func sealedRows(fd int) (int, error) {
	has, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return 0, fmt.Errorf("read its seals: %w", err)
	}
	if has&seals != seals {
		return 0, fmt.Errorf("its size is not sealed: seals %#x", has)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("read its size: %w", err)
	}
	if st.Size < rowBytes || st.Size%rowBytes != 0 || st.Size > maxRows*rowBytes {
		return 0, fmt.Errorf("not a scoreboard: %d bytes", st.Size)
	}
	return int(st.Size / rowBytes), nil
}

// mapScoreboard takes over fd, and closes it if it fails.
func mapScoreboard(fd, rows int) (*Scoreboard, error) {
	mem, err := unix.Mmap(fd, 0, rows*rowBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, fmt.Errorf("mmap %d bytes: %w", rows*rowBytes, err)
	}
	return &Scoreboard{fd: fd, mem: mem}, nil
}

// FD returns the descriptor, for passing it on. It stays the scoreboard's.
func (s *Scoreboard) FD() int { return s.fd }

// Loops returns the number of gateway loops that have a row.
func (s *Scoreboard) Loops() int { return s.loops }

// Slots returns the number of slots that have rows.
func (s *Scoreboard) Slots() int { return s.slots }

// Seats returns the number of seats in each slot.
func (s *Scoreboard) Seats() int { return s.seats }

// Loop returns the row of gateway loop i, from 0. It panics if there is none.
func (s *Scoreboard) Loop(i int) *LoopRow {
	if i < 0 || i >= s.loops {
		panic(fmt.Sprintf("loop %d of %d", i, s.loops))
	}
	return (*LoopRow)(s.row(1 + i))
}

// Seat returns the row of a seat in a slot, both from 0. It panics if there is none.
func (s *Scoreboard) Seat(slot, seat int) *SeatRow {
	if slot < 0 || slot >= s.slots || seat < 0 || seat >= s.seats {
		panic(fmt.Sprintf("slot %d of %d, seat %d of %d", slot, s.slots, seat, s.seats))
	}
	return (*SeatRow)(s.row(1 + s.loops + slot*s.seats + seat))
}

// row returns the words of a row where they lie. A mapping begins at a page, so
// every row is aligned.
func (s *Scoreboard) row(i int) *row {
	return (*row)(unsafe.Pointer(&s.mem[i*rowBytes]))
}

// Detach unmaps the memory and returns the descriptor, which is the caller's from
// then on: for [OpenScoreboard] in another image of this process. The scoreboard is
// as after Close.
func (s *Scoreboard) Detach() (fd int) {
	_ = unix.Munmap(s.mem) // fails only for memory that is not mapped
	fd, s.mem, s.fd = s.fd, nil, -1
	return fd
}

// Close unmaps the memory and closes the descriptor. Other processes keep theirs.
func (s *Scoreboard) Close() error {
	err := errors.Join(unix.Munmap(s.mem), unix.Close(s.fd))
	s.mem, s.fd = nil, -1
	if err != nil {
		return fmt.Errorf("close scoreboard: %w", err)
	}
	return nil
}
