package metrics

import (
	"bytes"
	"os"
	"strconv"

	"github.com/indrik/indrik/proc"
)

// Use is what a process uses. A process that cannot be asked any more uses nothing.
type Use struct {
	CPU      Seconds `json:"cpu"`      // of the processor since it began
	Resident int64   `json:"resident"` // bytes of memory; what is shared counts in each
}

// ticks is USER_HZ, in which the kernel tells times: 100 on every architecture
// that Go knows (proc(5), sysconf(3)).
const ticks = 100

// UseOf reads the use of a process whose parent is the given one: another that
// got the number meanwhile has another parent. parent 0 takes any.
func UseOf(pid, parent int) (u Use, ok bool) {
	stat, err := proc.Stat(pid)
	if err != nil {
		return u, false
	}
	return parseStat(stat, parent)
}

// parseStat reads fields of /proc/PID/stat. The second is the name, in brackets,
// and may hold anything: fields are counted from the last bracket.
func parseStat(stat []byte, parent int) (u Use, ok bool) {
	const ppid, utime, stime, rss = 4 - 3, 14 - 3, 15 - 3, 24 - 3 // the first after it is the third
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return u, false
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) <= rss {
		return u, false
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	if parent != 0 && number(ppid) != int64(parent) {
		return u, false
	}
	u.CPU = Seconds((number(utime) + number(stime)) * (1e9 / ticks))
	u.Resident = number(rss) * int64(os.Getpagesize())
	return u, true
}

// Measure fills in what the processes of f use. It reads a file for each, so it is
// not for the service's own loop.
func (f *Facts) Measure() {
	for i := range f.Workers {
		if w := &f.Workers[i]; w.PID != 0 {
			w.Use, _ = UseOf(w.PID, f.PID)
		}
	}
	for i := range f.Processes {
		p := &f.Processes[i]
		parent := f.PID
		if p.PID == f.PID {
			parent = 0
		}
		p.Use, _ = UseOf(p.PID, parent)
	}
}
