package desk

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/proc"
)

const (
	// vitalsKept is how long what the kernel said of a process is not asked anew: it
	// walks the page tables for it, which takes a millisecond for a hundred megabytes.
	vitalsKept = time.Second
	// vitalsBudget is how long one question may spend on it. Processes that it was
	// not enough for show what was known, and are first the next time.
	vitalsBudget = 25 * time.Millisecond
)

// Vitals remembers processor time and memory of processes. Any goroutine may use it;
// one at a time reads. The zero value is ready.
type Vitals struct {
	mu    sync.Mutex
	known map[int]vital
}

type vital struct {
	control.Process
	group *control.Group
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
		fresh[pid] = readVital(pid, groups)
	}
	found := maps.Clone(fresh)
	for pid, known := range found {
		known.PID = pid // also of those that no time was left for
		found[pid] = known
	}
	return found
}

func readVital(pid int, groups map[int]cgroup.Group) vital {
	known := vital{Process: readProcess(pid)}
	if group, own := groups[pid]; own {
		known.group = describeGroup(group)
	}
	known.At = time.Now()
	return known
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

// readProcess asks the kernel; what it does not say is 0.
func readProcess(pid int) (p control.Process) {
	if cpu, err := proc.CPU(pid); err == nil {
		p.CPU = cpu.Seconds()
	}
	if m, err := proc.MemoryOf(pid); err == nil { // else another user's, and no right to look into it
		p.Memory, p.Own = int64(m.Share), int64(m.Own)
	}
	return p
}
