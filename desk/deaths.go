package desk

import (
	"syscall"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/pool"
)

// ExplainKill tells a death that was the kernel's doing, for want of memory, and by whose
// limit: a SIGKILL that nobody of ours sent when kills has one that no death was explained
// with. Any goroutine may call it.
func ExplainKill(d *pool.Death, kills *cgroup.OOMKills) {
	if d.Cause != pool.Signalled || d.Exit.Signal != syscall.SIGKILL {
		return
	}
	limit, there := kills.Take(time.Now())
	if !there {
		return
	}
	d.Cause = pool.OutOfMemory
	if limit != cgroup.UnknownLimit {
		d.Facts = append(d.Facts, "limit", limit)
	}
}
