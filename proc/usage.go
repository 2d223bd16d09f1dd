package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTicks is USER_HZ, the unit of times in proc_pid_stat(5) on every machine that Go
// knows.
const clockTicks = 100

// CPU returns the processor time that a process has used, all its threads together,
// user and system.
func CPU(pid int) (time.Duration, error) {
	if used, err := clock(pid); err == nil {
		return used, nil
	}
	text, err := Stat(pid)
	if err != nil {
		return 0, err
	}
	fields := statFields(text)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields, want more", pid, len(fields))
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64) // the kernel's own numbers
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks, nil
}

// Memory is what a process has in main memory, in bytes.
type Memory struct {
	Share int // its proportional share (PSS): pages that n processes have count 1/n
	Own   int // what its end would free (USS)
}

// MemoryOf asks the kernel, which walks the page tables for it: that takes about a
// millisecond for each hundred megabytes. It fails with [os.ErrPermission] for the
// process of another user, without CAP_SYS_PTRACE.
func MemoryOf(pid int) (Memory, error) {
	text, err := read(fmt.Sprintf("/proc/%d/smaps_rollup", pid), 4<<10)
	if err != nil {
		return Memory{}, err
	}
	if len(text) == 0 {
		return Memory{}, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	share, err := field(text, "Pss:")
	if err != nil {
		return Memory{}, fmt.Errorf("/proc/%d/smaps_rollup: %w", pid, err)
	}
	clean, _ := field(text, "Private_Clean:") // where there is Pss, there are these
	dirty, _ := field(text, "Private_Dirty:")
	return Memory{Share: share, Own: clean + dirty}, nil
}

// Weigh returns the memory of a process, in bytes: its share of what it shares
// counted, or, where nobody may see that, only the pages that are its own. own says
// that it is the latter.
func Weigh(pid int) (size int, own bool, err error) {
	m, err := MemoryOf(pid)
	if err == nil {
		return m.Share, false, nil
	}
	if !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) {
		return 0, false, fmt.Errorf("look at the memory of process %d: %w", pid, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err == nil {
		size, err = field(text, "RssAnon:")
	}
	if err != nil {
		return 0, true, fmt.Errorf("look at the memory of process %d: %w", pid, err)
	}
	return size, true, nil
}

// field reads a line of the form "name 123 kB", in bytes.
func field(text []byte, name string) (int, error) {
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte(name)); found {
			words := bytes.Fields(rest)
			if len(words) == 2 && string(words[1]) == "kB" {
				n, err := strconv.Atoi(string(words[0]))
				return n << 10, err
			}
		}
	}
	return 0, fmt.Errorf("no line %s", name)
}
