package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// Unknown stands for a number that the kernel does not count here.
const Unknown = -1

// Usage is what the processes of a group have used since the group was made, and
// what they use now. Numbers are [Unknown], and pressures nil, where the kernel does
// not have them.
type Usage struct {
	CPU        time.Duration // of all processors together
	Memory     int64         // bytes now, page cache among them; needs the memory controller
	MemoryPeak int64         // bytes, the most so far; besides Linux 5.19
	OOMKills   int64         // processes killed for want of memory; needs the memory controller

	CPUPressure, MemoryPressure, IOPressure *Pressure // need PSI
}

// Usage reads the group's numbers. The error is that of a group that is gone.
func (g Group) Usage() (Usage, error) {
	spent, err := g.count("cpu.stat", "usage_usec")
	if err != nil {
		return Usage{}, err
	}
	u := Usage{CPU: time.Duration(spent) * time.Microsecond, OOMKills: Unknown}
	u.Memory, u.MemoryPeak = g.number("memory.current"), g.number("memory.peak")
	if n, err := g.count("memory.events", "oom_kill"); err == nil {
		u.OOMKills = n
	}
	u.CPUPressure, _ = g.Pressure(CPU) // nil says it
	u.MemoryPressure, _ = g.Pressure(Memory)
	u.IOPressure, _ = g.Pressure(IO)
	return u, nil
}

// number reads a file that is one number.
func (g Group) number(file string) int64 {
	words, err := g.words(file)
	if err != nil || len(words) != 1 {
		return Unknown
	}
	n, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return Unknown
	}
	return n
}

// count reads the number beside key in a file of lines "KEY NUMBER".
func (g Group) count(file, key string) (int64, error) {
	words, err := g.words(file)
	if err != nil {
		return 0, err
	}
	for i := 0; i+1 < len(words); i += 2 {
		if words[i] == key {
			return strconv.ParseInt(words[i+1], 10, 64)
		}
	}
	return 0, fmt.Errorf("read %s: no %q in it", g.path(file), key)
}

// Resource is something that processes wait for.
type Resource string

// The resources of which the kernel tells the pressure.
const (
	CPU    Resource = "cpu"
	Memory Resource = "memory"
	IO     Resource = "io"
)

// Pressure is the share of time in which processes waited for a resource (PSI, see
// the kernel's Documentation/accounting/psi.rst): some of them, or all that were not
// idle.
type Pressure struct{ Some, Full Share }

// Share is a part of time in percent, 0 to 100, on average over the last 10, 60 and
// 300 seconds, and the whole time so far.
type Share struct {
	Avg10, Avg60, Avg300 float64
	Total                time.Duration
}

// ErrNoPressure reports a kernel that does not measure pressure.
var ErrNoPressure = errors.New("the kernel tells no pressure (PSI)")

// Pressure is that of the processes in the group and in groups of it. The error is
// [ErrNoPressure], or that of a group that is gone.
func (g Group) Pressure(r Resource) (*Pressure, error) {
	return readPressure(g.path(string(r) + ".pressure"))
}

// MachinePressure is that of all processes. The error is [ErrNoPressure] or that of
// reading /proc.
func MachinePressure(r Resource) (*Pressure, error) {
	return readPressure("/proc/pressure/" + string(r))
}

func readPressure(file string) (*Pressure, error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoPressure
	case err != nil: // EOPNOTSUPP if it was turned off at boot
		return nil, fmt.Errorf("%w: %w", ErrNoPressure, err)
	}
	p := &Pressure{}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(line, " ")
		share := map[string]*Share{"some": &p.Some, "full": &p.Full}[word]
		if share == nil {
			continue
		}
		if err := share.read(rest); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return p, nil
}

// read reads "avg10=0.87 avg60=4.33 avg300=11.52 total=9505121623".
func (s *Share) read(text string) error {
	var total int64
	n, err := fmt.Sscanf(text, "avg10=%f avg60=%f avg300=%f total=%d", &s.Avg10, &s.Avg60, &s.Avg300, &total)
	if err != nil {
		return fmt.Errorf("%q after %d items: %w", text, n, err)
	}
	s.Total = time.Duration(total) * time.Microsecond
	return nil
}
