package programs

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/proc"
)

// leftover is what a worker that ended may have left behind.
type leftover struct {
	group int    // it was the worker's process group
	entry string // it was in its environment
	slot  int
	until time.Time
}

// leftoverTime is how long after a worker's end processes of it are looked for: those
// below one that is killed become our children only then.
const leftoverTime = 2 * time.Second

// killLeftovers kills the processes that workers which ended have left behind. All of
// them are our children by now, since we are their subreaper, so their numbers are
// theirs until we reap them. A daemon that changed its group and its environment is
// not recognised; the end of the service finds it.
func (m *master) killLeftovers(now time.Time) {
	if len(m.leftovers) == 0 {
		return
	}
	for _, pid := range m.strangers() {
		k, there := proc.LookUp(pid)
		if !there || k.Zombie {
			continue
		}
		for _, l := range m.leftovers {
			if k.Group == l.group || proc.HasVariable(pid, l.entry) {
				m.log.Warn("process left behind was killed", "pid", pid, "slot", l.slot, "of", l.group)
				killChild(pid)
				break
			}
		}
	}
	m.leftovers = slices.DeleteFunc(m.leftovers, func(l leftover) bool { return now.After(l.until) })
}

// strangers are our children that no pool has. The loop starts children and tells a
// pool at once, so there is none in between.
func (m *master) strangers() []int {
	return slices.DeleteFunc(proc.Children(os.Getpid()), m.knows)
}

func (m *master) knows(pid int) bool {
	return slices.ContainsFunc(m.generations(), func(g *generation) bool { return g.pool.Knows(pid) })
}

// killChild kills a child of ours that has not been reaped.
func killChild(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL) // it is ours and unreaped: nobody else has the number
}

// sweep reaps what was left to us.
func (m *master) sweep() { pool.SweepOrphans(m.knows) }

// killChildren ends what is left when every worker is gone: nobody would own it.
func (m *master) killChildren() {
	for range 50 {
		m.sweep()
		left := proc.Children(os.Getpid())
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			if k, there := proc.LookUp(pid); there && !k.Zombie {
				m.log.Warn("process left behind was killed", "pid", pid)
				killChild(pid)
			}
		}
		<-time.After(10 * time.Millisecond) // the kernel has no event for the end of a stranger
	}
}
