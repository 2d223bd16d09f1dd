package gateway

import (
	"math"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// budget is how many bytes may be in spool files, of requests and of responses
// together. Any goroutine may use it.
type budget struct {
	limit atomic.Int64
	used  atomic.Int64

	dir    string        // where the limit comes from; "" if it was given
	looked atomic.Int64  // when dir was last looked at, ns since its first
	began  time.Time     // the first
	pause  time.Duration // between two looks
}

// lookAgain is the shortest time between two looks at a directory that was too full.
const lookAgain = time.Second

// newBudget allows limit bytes, or if that is 0 half of what is free in dir now. A disk
// that is full at the moment may have room later: such a limit is raised when it stands
// in the way and more has become free. It is not lowered, for then the writing fails.
func newBudget(limit int64, dir string) *budget {
	b := fixedBudget(limit)
	if limit == 0 {
		b.dir, b.began, b.pause = dir, time.Now(), lookAgain
		b.limit.Store(b.half())
	}
	return b
}

// fixedBudget allows limit bytes.
func fixedBudget(limit int64) *budget {
	b := new(budget)
	b.limit.Store(limit)
	return b
}

// half is half of what would be free in the directory without our own files.
func (b *budget) half() int64 {
	var fs unix.Statfs_t
	if unix.Statfs(b.dir, &fs) != nil {
		return math.MaxInt64 // a directory that cannot be looked at gives an error of its own
	}
	return (int64(fs.Bavail)*int64(fs.Bsize) + b.used.Load()) / 2
}

// reserve takes n bytes if they are left.
func (b *budget) reserve(n int64) bool {
	if b.used.Add(n) <= b.limit.Load() {
		return true
	}
	b.used.Add(-n)
	return b.look() && b.reserve(n)
}

// look raises the limit if the directory has more room than it was set for, and reports
// that it did.
func (b *budget) look() bool {
	if b.dir == "" {
		return false
	}
	last, now := b.looked.Load(), int64(time.Since(b.began))
	if now-last < int64(b.pause) || !b.looked.CompareAndSwap(last, now) {
		return false
	}
	old, half := b.limit.Load(), b.half()
	return half > old && b.limit.CompareAndSwap(old, half)
}

// reservation is what one spool file has of a budget. The zero value is
// nothing, of none.
type reservation struct {
	of    *budget
	bytes int64
}

func (r *reservation) add(n int64) bool {
	if !r.of.reserve(n) {
		return false
	}
	r.bytes += n
	return true
}

// release gives all back, once.
func (r *reservation) release() {
	if r.bytes > 0 {
		r.of.used.Add(-r.bytes)
		r.bytes = 0
	}
}

// spoolDir is where spool files are made.
func (c Config) spoolDir() string {
	if c.SpoolDir == "" {
		return os.TempDir()
	}
	return c.SpoolDir
}
