package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// marked lists the living processes whose mark begins with prefix. A zombie
// has no environment any more and is not among them.
func marked(prefix string) []int {
	entry := []byte(markEnv + "=" + prefix)
	var pids []int
	for _, pid := range processes() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			continue // it ended, or is not ours
		}
		if bytes.HasPrefix(env, entry) || bytes.Contains(env, append([]byte{0}, entry...)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func processes() []int {
	names, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// role tells what a process of the tree is, by what ps would show.
func role(pid int) string {
	if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		if args := strings.Split(string(cmdline), "\x00"); len(args) > 1 && args[1] == "gateway" {
			return "gateway"
		}
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	switch name := strings.TrimSpace(string(comm)); {
	case name == "indrik-mold":
		return "mold"
	case strings.HasPrefix(name, "indrik-w"):
		return "worker"
	}
	return ""
}

// children lists the living children of the master that play a role.
func (s *service) children(wanted string) []int {
	var pids []int
	for _, pid := range processes() {
		if parent(pid) == s.pid && role(pid) == wanted {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// the returns the only child of a role.
func (s *service) the(role string) int {
	s.t.Helper()
	var pids []int
	s.until(fmt.Sprintf("one %s", role), func() bool {
		pids = s.children(role)
		return len(pids) == 1
	})
	return pids[0]
}

// parent is 0 for a process that is gone or a zombie.
func parent(pid int) int {
	state, ppid := stat(pid)
	if state == 'Z' || state == 'X' {
		return 0
	}
	return ppid
}

// stat reads state and parent (proc_pid_stat(5)); the name before them may
// hold anything.
func stat(pid int) (state byte, ppid int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return 0, 0
	}
	ppid, _ = strconv.Atoi(fields[1])
	return fields[0][0], ppid
}

// dead reports that a process does not run any more; it may not be reaped yet.
func dead(pid int) bool {
	state, _ := stat(pid)
	return state == 0 || state == 'Z' || state == 'X'
}

// compiled is how many descriptors a master may have beside those of its start: what a
// mold has compiled, once one had a second without an order (docs/adr/0017).
const compiled = 1

// descriptors counts what a process has open.
func descriptors(t testing.TB, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatalf("count descriptors: %v", err)
	}
	return len(entries)
}

// peak is the most memory a process ever had resident, in bytes.
func peak(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("read peak memory: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if kB, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kB), " kB"), 10, 64)
			if err != nil {
				t.Fatalf("read peak memory: %v", err)
			}
			return n << 10
		}
	}
	t.Fatalf("process %d has no VmHWM", pid)
	return 0
}

// kill sends a signal to a process of the tree.
func (s *service) kill(pid int, sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatalf("send %v to %d: %v", sig, pid, err)
	}
}

// freeze stops a process and waits until each of its threads has stopped, which they
// do when they next run.
func (s *service) freeze(pid int) {
	s.t.Helper()
	s.kill(pid, syscall.SIGSTOP)
	s.until("all threads have stopped", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // the pattern is well formed
		for _, thread := range threads {
			id, _ := strconv.Atoi(filepath.Base(thread)) // the kernel's
			if state, _ := stat(id); state != 'T' && state != 0 {
				return false
			}
		}
		return true
	})
}

// until waits for what the kernel has no event for, by looking again.
func (s *service) until(what string, condition func() bool) {
	s.t.Helper()
	within(s.t, patience, what, condition)
}

func within(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond) // what others' processes do has no event for us
	}
}

// allGone waits until no process of the tree is left.
func (s *service) allGone(limit time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		left := marked(s.mark)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("still there after %v: %v", limit, s.describe(left))
		}
		time.Sleep(2 * time.Millisecond) // the kernel has no event for the end of a stranger's children
	}
}
