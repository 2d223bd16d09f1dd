package master

import (
	"fmt"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prompt lets gateway and workers take the processor from others when they are woken, as long as
// a reload is under way. Otherwise they do not, by their setting scheduling: they would take it from each other. But
// a generation that boots, and one that ends, keep a processor for as long as they are let, and those who serve would
// wait for the end of a time slice with every request, some milliseconds.
//
// It is derived from the state of the reload, and called whenever that may have changed. After an exec
// nobody knows what the image before has done, so the policies are set once more (restored).
type prompt struct {
	on bool // as it was set last
}

// setPolicies sets the policies if they are to be others than they are.
func (m *master) setPolicies() {
	wanted := m.reload.step != calm && m.stage == serving
	if wanted == m.prompt.on {
		return
	}
	m.prompt.on = wanted
	if own, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(m.cfg.PID), 0, 0); errno != 0 || own != unix.SCHED_NORMAL {
		return // then theirs is no doing of ours
	}
	for _, gt := range m.gates() {
		if gt.child != nil && gt.plan.settings.Scheduling() == "batch" {
			changePolicy(gt.child.pid, wanted)
		}
	}
	for _, g := range m.generations() {
		if g.plan.settings.Scheduling() != "batch" {
			continue
		}
		for _, w := range g.workers {
			if w.ready && w.pid != 0 && w.death == nil {
				changePolicy(w.pid, wanted)
			}
		}
	}
}

// changePolicy sets the policy of those threads of a process that have the usual one or SCHED_BATCH, which takes no
// rights in either direction; others have been given theirs by the application. A thread that is created meanwhile
// has that of who created it, and may be left out: the next reload finds it.
func changePolicy(pid int, usual bool) {
	from, to := uintptr(unix.SCHED_NORMAL), uintptr(unix.SCHED_BATCH)
	if usual {
		from, to = to, from
	}
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid)) // the pattern is a good one
	for _, name := range names {
		tid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if now, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0); errno == 0 && now == from {
			_ = setPolicyOf(tid, to) // it may be gone, or a sandbox forbid the call: all goes on as it is
		}
	}
}

// setPolicyOf sets the policy of a thread, of the calling one for 0, by sched_setscheduler(2), which leaves
// its nice value as it is, and which RestrictRealtime= of a unit allows.
func setPolicyOf(tid int, policy uintptr) unix.Errno {
	var priority int32 // struct sched_param; 0 for policies that are not for real time
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), policy, uintptr(unsafe.Pointer(&priority)))
	return errno
}

// scheduleAsBatch has the calling thread scheduled as SCHED_BATCH (sched(7)) until undo is
// called: when it is woken, it takes the processor from nobody. Another policy than the
// usual one is somebody's decision, and stays; so does the usual one in a sandbox that
// forbids the call.
func scheduleAsBatch() (undo func()) {
	policy, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	if errno != 0 || policy != unix.SCHED_NORMAL || setPolicyOf(0, unix.SCHED_BATCH) != 0 {
		return func() {}
	}
	return func() { setPolicyOf(0, unix.SCHED_NORMAL) } // which needs no rights
}
