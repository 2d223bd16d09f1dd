package master

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/proc"
)

const (
	// leastPriority is the largest nice value (setpriority(2)).
	leastPriority = 19
	// relatives bounds how many processes an application may have started while it was
	// imported that get their priority back.
	relatives = 256
	// modestShare is the part of boot_timeout for which a generation boots at a lower
	// priority: on a machine that has nothing to spare it would not be through in time.
	modestShare = 4
)

// modesty is that a generation boots at a lower priority while another one serves, so
// that imports do not keep those from the processors who answer requests. The zero
// value is a generation that does not.
//
// Priorities belong to threads, and whatever a thread starts has its own. So they are
// given back thread by thread, to those that have the lower one.
type modesty struct {
	usual, low int       // nice values; the same if nothing was lowered
	until      time.Time // zero: its processes have the usual one, but for those that boot still
}

// lower makes a mold, and so the workers that it forks, give way to those that serve.
func (m *master) lower(g *generation, pid int, now time.Time) {
	s := g.plan.settings
	usual, ok := priority(0)
	if g != m.reload.next || s.BootNice() == 0 || !ok || !mayRaise() {
		return
	}
	g.modest = modesty{usual: usual, low: min(usual+s.BootNice(), leastPriority), until: now.Add(s.BootTimeout() / modestShare)}
	if err := unix.Setpriority(unix.PRIO_PROCESS, pid, g.modest.low); err != nil {
		m.log.Debug("priority not lowered", "gen", g.number, "pid", pid, "error", err)
	}
}

// upright gives the processes of a generation the usual priority: it serves now, or
// has taken long enough.
func (g *generation) upright() {
	if g.modest.until.IsZero() {
		return
	}
	g.modest.until = time.Time{}
	if c := g.mold.child; c != nil {
		g.raise(c.pid)
	}
	for _, w := range g.workers {
		g.raise(w.pid)
	}
}

// raise gives a process, and what it has started, the usual priority. It is asked for
// a worker when that is ready: it may have been forked when the mold had the lower one
// still.
func (g *generation) raise(pid int) {
	low, usual := g.modest.low, g.modest.usual
	if now, ok := priority(pid); pid == 0 || low == usual || !ok || now != low {
		return
	}
	for range 3 { // a thread that was created meanwhile may have it of one that came later
		found := false
		for _, one := range proc.Family(pid, relatives) {
			found = raiseThreads(one, low, usual) || found
		}
		if !found {
			return
		}
	}
}

// raiseThreads gives those threads of a process the usual priority that have the low
// one, and reports whether there were any. A process that is gone has none.
func raiseThreads(pid, low, usual int) (found bool) {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid)) // the pattern is a good one
	for _, name := range names {
		tid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if now, ok := priority(tid); ok && now == low {
			found = true
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, usual) // it may be gone, or another user's by now
		}
	}
	return found
}

// priority is the nice value of a thread, or of the calling one for 0.
func priority(tid int) (nice int, ok bool) {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, tid) // the system call's: 20 - nice
	return 20 - raw, err == nil
}

// mayRaise reports whether a priority that was lowered can be given back: that takes
// CAP_SYS_NICE or RLIMIT_NICE (LimitNICE= of a unit). It is tried on a thread that
// ends with that, since nothing else tells for sure.
func mayRaise() bool {
	answer := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked
		usual, ok := priority(0)
		tid := unix.Gettid()
		if tid == os.Getpid() { // the first thread never ends
			runtime.UnlockOSThread()
			answer <- false
			return
		}
		ok = ok && usual < leastPriority &&
			unix.Setpriority(unix.PRIO_PROCESS, tid, usual+1) == nil &&
			unix.Setpriority(unix.PRIO_PROCESS, tid, usual) == nil
		answer <- ok
	}()
	return <-answer
}
