package desk

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/proc"
)

const (
	// vitalsKept is how long what the kernel said of a process is not asked anew.
	vitalsKept = time.Second
	// vitalsBudget is how long one question may spend on what is cheap. Processes that it
	// was not enough for show what was known, and are first the next time.
	vitalsBudget = 25 * time.Millisecond

	// For the memory of a process the kernel walks its page tables: a quarter of a
	// millisecond for a small one, and one more for each hundred megabytes. So that those
	// who ask every second do not pay for 64 workers each time, it is looked at for one
	// part in memoryShare of the time at most, and saved up for until there are memoryBurst.
	memoryShare = 400
	memoryBurst = 10 * time.Millisecond
)

// Vitals remembers processor time and memory of processes. Any goroutine may use it;
// one at a time reads. The zero value is ready.
type Vitals struct {
	mu     sync.Mutex
	known  map[int]vital
	credit credit
}

type vital struct {
	control.Process
	group   *control.Group
	weighed time.Time // when its memory was looked at
}

// of returns what is known of processes, by their numbers, and of the control groups of
// those that have one of their own. It puts pids in another order.
func (v *Vitals) of(pids []int, groups map[int]cgroup.Group) map[int]vital {
	v.mu.Lock()
	defer v.mu.Unlock()
	begin := time.Now()
	fresh := make(map[int]vital, len(pids))
	for _, pid := range pids {
		fresh[pid] = v.known[pid]
	}
	v.known = fresh // those that are gone are forgotten
	slices.SortFunc(pids, func(a, b int) int { return fresh[a].At.Compare(fresh[b].At) })
	for _, pid := range pids {
		if begin.Sub(fresh[pid].At) < vitalsKept || time.Since(begin) > vitalsBudget {
			break
		}
		known := fresh[pid]
		known.look(pid, groups)
		fresh[pid] = known
	}
	slices.SortFunc(pids, func(a, b int) int { return fresh[a].weighed.Compare(fresh[b].weighed) })
	v.credit.earn(begin)
	for _, pid := range pids {
		if begin.Sub(fresh[pid].weighed) < vitalsKept || !v.credit.left() {
			break
		}
		known := fresh[pid]
		v.credit.spend(func() { known.weigh(pid) })
		fresh[pid] = known
	}
	found := maps.Clone(fresh)
	for pid, known := range found {
		known.PID = pid // also of those that no time was left for
		found[pid] = known
	}
	return found
}

// look asks for what is cheap. What the kernel does not say is 0.
func (v *vital) look(pid int, groups map[int]cgroup.Group) {
	v.CPU, v.group = 0, nil
	if cpu, err := proc.CPU(pid); err == nil {
		v.CPU = cpu.Seconds()
	}
	if group, own := groups[pid]; own {
		v.group = describeGroup(group)
	}
	v.At = time.Now()
}

// weigh asks for the memory.
func (v *vital) weigh(pid int) {
	v.Memory, v.Own = 0, 0
	if m, err := proc.MemoryOf(pid); err == nil { // else another user's, and no right to look into it
		v.Memory, v.Own = int64(m.Share), int64(m.Own)
	}
	v.weighed = time.Now()
}

// credit is processor time that may be spent. It grows with the time, and what was
// spent beyond it is owed. The zero value has a whole memoryBurst.
type credit struct {
	spare time.Duration
	at    time.Time // when it was earned
}

// earn adds what has become due.
func (c *credit) earn(now time.Time) {
	earned := memoryBurst
	if !c.at.IsZero() {
		earned = now.Sub(c.at) / memoryShare
	}
	c.spare, c.at = min(c.spare+earned, memoryBurst), now
}

func (c *credit) left() bool { return c.spare > 0 }

// spend pays for what do uses of the processor, whatever others do on it meanwhile.
func (c *credit) spend(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	do()
	c.spare -= threadTime() - before
}

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // our own thread's; cannot fail
	return time.Duration(t.Nano())
}

// describeGroup is nil if the group is gone. What the kernel does not count is 0.
func describeGroup(g cgroup.Group) *control.Group {
	u, err := g.Usage()
	if err != nil {
		return nil
	}
	return &control.Group{
		CPU: u.CPU.Seconds(), Memory: max(u.Memory, 0), Peak: max(u.MemoryPeak, 0), OOMKills: max(u.OOMKills, 0),
		Pressure: describePressure(func(r cgroup.Resource) (*cgroup.Pressure, error) {
			return map[cgroup.Resource]*cgroup.Pressure{cgroup.CPU: u.CPUPressure, cgroup.Memory: u.MemoryPressure, cgroup.IO: u.IOPressure}[r], nil
		}),
	}
}

// describePressure is nil where the kernel tells none.
func describePressure(of func(cgroup.Resource) (*cgroup.Pressure, error)) *control.Pressure {
	var p control.Pressure
	known := false
	for r, share := range map[cgroup.Resource]*float64{cgroup.CPU: &p.CPU, cgroup.Memory: &p.Memory, cgroup.IO: &p.IO} {
		if found, err := of(r); err == nil && found != nil {
			*share, known = found.Some.Avg10, true
		}
	}
	if !known {
		return nil
	}
	return &p
}
