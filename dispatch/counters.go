package dispatch

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	countersMagic   = 0x494E4452494B4354 // INDRIKCT, read from the highest byte
	countersVersion = 1

	maxBlocks = MaxLoops + 1
	maxWords  = 1 << 12
)

// Counters are blocks of 64-bit numbers that a gateway adds to and its master
// reads: one block for each loop, which alone writes it, and one for everybody else
// in the gateway. What a number means is the gateway's business. docs/protocol.md
// has the layout.
//
// The memory belongs to the master and outlives gateways: one that replaces another
// goes on counting where that one was killed, so that no number goes back.
//
// Close must not be called while somebody uses a block.
type Counters struct {
	fd            int
	mem           []byte
	blocks, words int
}

// NewCounters makes so many blocks (1 to 65) of so many numbers (1 to 4096), all of
// them 0. They lie in a memfd like that of [NewScoreboard].
func NewCounters(blocks, words int) (*Counters, error) {
	rows, err := counterRows(blocks, words)
	if err != nil {
		return nil, fmt.Errorf("new counters: %w", err)
	}
	fd, err := sealedMemory("indrik-counters", rows*rowBytes)
	if err != nil {
		return nil, fmt.Errorf("new counters: %w", err)
	}
	c, err := mapCounters(fd, rows)
	if err != nil {
		return nil, fmt.Errorf("new counters: %w", err)
	}
	c.blocks, c.words = blocks, words
	for i, word := range []uint64{countersMagic, countersVersion, uint64(blocks), uint64(words)} {
		c.header()[i].Store(word)
	}
	return c, nil
}

// OpenCounters maps counters that another process made, and checks that they are
// of this version, whole and sealed. The descriptor belongs to the counters from
// then on; it is closed also if OpenCounters fails.
func OpenCounters(fd int) (*Counters, error) {
	unix.CloseOnExec(fd)
	c, err := openCounters(fd)
	if err != nil {
		return nil, fmt.Errorf("open counters on fd %d: %w", fd, err)
	}
	return c, nil
}

func openCounters(fd int) (*Counters, error) {
	rows, err := sealedRows(fd)
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, err
	}
	c, err := mapCounters(fd, rows)
	if err != nil {
		return nil, err
	}
	header := c.header()
	c.blocks, c.words = dimension(header[2].Load()), dimension(header[3].Load())
	want, err := counterRows(c.blocks, c.words)
	switch magic, version := header[0].Load(), header[1].Load(); {
	case magic != countersMagic:
		err = fmt.Errorf("no counters: magic %#x", magic)
	case version != countersVersion:
		err = fmt.Errorf("counters of version %d, not %d", version, countersVersion)
	case err == nil && want != rows:
		err = fmt.Errorf("counters of %d rows, their header says %d", rows, want)
	}
	if err != nil {
		_ = c.Close() // the header's error says more
		return nil, err
	}
	return c, nil
}

// counterRows is how many rows of the scoreboard's size there are: a header and
// then the blocks, each of which begins with a row, so that no two writers share a
// line of the processor's cache.
func counterRows(blocks, words int) (int, error) {
	if blocks < 1 || blocks > maxBlocks || words < 1 || words > maxWords {
		return 0, fmt.Errorf("%d blocks of %d numbers: out of range", blocks, words)
	}
	return 1 + blocks*blockRows(words), nil
}

func blockRows(words int) int { return (words + rowWords - 1) / rowWords }

// mapCounters takes over fd, and closes it if it fails.
func mapCounters(fd, rows int) (*Counters, error) {
	mem, err := unix.Mmap(fd, 0, rows*rowBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return nil, fmt.Errorf("mmap %d bytes: %w", rows*rowBytes, err)
	}
	return &Counters{fd: fd, mem: mem}, nil
}

// FD returns the descriptor, for passing it on. It stays the counters'.
func (c *Counters) FD() int { return c.fd }

// Blocks returns how many blocks there are.
func (c *Counters) Blocks() int { return c.blocks }

// Words returns how many numbers a block has.
func (c *Counters) Words() int { return c.words }

// Block returns the numbers of a block, from 0, where they lie. It panics if there
// is none. The one writer of a block may write them as plain memory: on the 64-bit
// machines that Indrik is built for a number is written whole. Who else reads
// them, in another process, uses [Counters.Load].
func (c *Counters) Block(i int) []uint64 {
	if i < 0 || i >= c.blocks {
		panic(fmt.Sprintf("block %d of %d", i, c.blocks))
	}
	first := &c.mem[(1+i*blockRows(c.words))*rowBytes]
	return unsafe.Slice((*uint64)(unsafe.Pointer(first)), c.words)
}

// Load adds all blocks to sum, number by number. Where sum and blocks differ in
// length, those of the same process but another version, the rest is left alone.
func (c *Counters) Load(sum []uint64) {
	for i := range c.blocks {
		block := c.Block(i)
		for word := range min(len(block), len(sum)) {
			sum[word] += atomic.LoadUint64(&block[word])
		}
	}
}

// Reset makes one number of all blocks 0. Only while no process counts there.
func (c *Counters) Reset(word int) {
	for i := range c.blocks {
		atomic.StoreUint64(&c.Block(i)[word], 0)
	}
}

func (c *Counters) header() *row { return (*row)(unsafe.Pointer(&c.mem[0])) }

// Detach unmaps the memory and returns the descriptor, which is the caller's from
// then on: for [OpenCounters] in another image of this process. The counters are as
// after Close.
func (c *Counters) Detach() (fd int) {
	_ = unix.Munmap(c.mem) // fails only for memory that is not mapped
	fd, c.mem, c.fd = c.fd, nil, -1
	return fd
}

// Close unmaps the memory and closes the descriptor. Other processes keep theirs.
func (c *Counters) Close() error {
	err := errors.Join(unix.Munmap(c.mem), unix.Close(c.fd))
	c.mem, c.fd = nil, -1
	if err != nil {
		return fmt.Errorf("close counters: %w", err)
	}
	return nil
}
