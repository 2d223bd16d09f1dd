package master

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
)

const (
	// vitalsKept is how long what the kernel said of a process is not asked anew: it
	// walks the page tables for it, which takes a millisecond for a hundred megabytes.
	vitalsKept = time.Second
	// vitalsBudget is how long one question may spend on it. Processes that it was
	// not enough for show what was known, and are first the next time.
	vitalsBudget = 25 * time.Millisecond
	// clockTicks is USER_HZ, the unit of proc_pid_stat(5) on every machine that Go knows.
	clockTicks = 100
)

// vitals remembers processor time and memory of processes. Any goroutine may use it;
// one at a time reads.
type vitals struct {
	mu    sync.Mutex
	known map[int]vital
}

type vital struct {
	control.Process
	group *control.Group
}

// of returns what is known of processes, by their numbers, and of the control groups of
// those that have one of their own. It puts pids in another order.
func (v *vitals) of(pids []int, groups map[int]cgroup.Group) map[int]vital {
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

// pressure is that of the service. Where its control group is not ours to divide, that
// group tells it all the same.
func (d *desk) pressure(gs groups) *control.Pressure {
	group := gs.base
	if !gs.on {
		var err error
		if group, err = cgroup.Own(); err != nil {
			return nil
		}
	}
	return describePressure(group.Pressure)
}

// readProcess asks the kernel; what it does not say is 0.
func readProcess(pid int) (p control.Process) {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		p.CPU = processorTime(text)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return p // another user's, and no right to look into it
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			continue // the first line, which is a range of addresses
		}
		switch name {
		case "Pss":
			p.Memory = kilobytes << 10
		case "Private_Clean", "Private_Dirty":
			p.Own += kilobytes << 10
		}
	}
	return p
}

// processorTime is the sum of utime and stime, in seconds. The name of the program is
// in brackets and may hold anything, brackets too.
func processorTime(stat []byte) float64 {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(string(fields[11]), 64) // the kernel's own numbers
	system, _ := strconv.ParseFloat(string(fields[12]), 64)
	return (user + system) / clockTicks
}
