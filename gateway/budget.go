package gateway

import (
	"math"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// budget is how many bytes may be in spool files, of requests and of responses
// together. Any goroutine may use it.
type budget struct {
	limit int64
	used  atomic.Int64
}

// newBudget allows limit bytes, or if that is 0 half of what is free in dir now.
func newBudget(limit int64, dir string) *budget {
	b := &budget{limit: limit}
	var fs unix.Statfs_t
	if limit == 0 {
		b.limit = math.MaxInt64 // a directory that cannot be looked at gives an error of its own
		if unix.Statfs(dir, &fs) == nil {
			b.limit = int64(fs.Bavail) * int64(fs.Bsize) / 2
		}
	}
	return b
}

// reserve takes n bytes if they are left.
func (b *budget) reserve(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
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
