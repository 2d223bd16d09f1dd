package master

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/cgroup"
)

const (
	// masterGroup is the part of the service's control group that the master is in.
	masterGroup = "master"
	// lingering is how long what a worker leaves behind may take to end by itself:
	// much of it notices the worker's death by the end of a pipe, and tidies up
	// then, as Python's tracker of shared memory does.
	lingering = time.Second
)

var errUndivided = errors.New("control_groups is off")

// workerGroup, gatewayGroup and moldGroup are the names of the parts. They follow from
// what a master knows that executed itself anew, and no two processes share one.
func workerGroup(w *worker) string {
	return fmt.Sprintf("worker-%d-%d-%d", w.slot, w.gen.number, w.pid)
}

func gatewayGroup(pid int) string { return fmt.Sprintf("gateway-%d", pid) }

func moldGroup(generation, pid int) string { return fmt.Sprintf("mold-%d-%d", generation, pid) }

// groups is the control group of the service with its parts. The zero value divides
// nothing: where no group was delegated everything else works as without.
type groups struct {
	base   cgroup.Group
	on     bool
	memory bool // the parts have the memory controller
	broken bool // something failed and was told of
	left   []remains
}

// remains is a part whose process has ended. It is removed once it is empty.
type remains struct {
	group  cgroup.Group
	slot   int       // of the worker; -1 if it was none
	killAt time.Time // what is in it is killed then; zero: never
	killed bool
}

// divide makes the parts of the service's control group, if it was delegated, and
// moves into one: a group that has parts with controllers may hold no process
// itself.
func (m *master) divide() {
	err := m.divideIf(m.plan.settings.ControlGroups())
	high := m.plan.settings.WorkerMemoryHigh()
	switch {
	case high == 0 || m.groups.memory:
	case err != nil:
		m.log.Warn("setting counts for nothing", "setting", "worker_memory_high", "reason", err)
	default:
		m.log.Warn("setting counts for nothing", "setting", "worker_memory_high",
			"reason", "the control group has no memory controller (Delegate=memory, and cgroup v2 for memory)")
	}
}

// divideIf does so when the setting control_groups says.
func (m *master) divideIf(when string) error {
	if when == "off" {
		return errUndivided
	}
	base, err := cgroup.Delegated(masterGroup, when == "on")
	if err == nil {
		err = m.enter(base)
	}
	switch {
	case err == nil:
	case when == "on":
		m.log.Warn("control group not divided", "reason", err, "instead", "set control_groups to auto")
	default:
		m.log.Debug("control group not divided", "reason", err)
	}
	return err
}

// enter takes a delegated group into use.
func (m *master) enter(base cgroup.Group) error {
	own, err := base.Make(masterGroup)
	if err == nil {
		err = own.Add(0)
	}
	if err != nil {
		return err
	}
	on, err := base.Enable("memory")
	m.groups = groups{base: base, on: true, memory: slices.Contains(on, "memory")}
	m.log.Debug("control group divided", "path", base.Dir(), "controllers", on, "error", err)
	m.groups.adopt()
	return nil
}

// adopt finds what a master before us left: parts of processes that have ended
// since. A process that lives is in the part that has its number.
func (gs *groups) adopt() {
	entries, err := os.ReadDir(gs.base.Dir())
	if err != nil {
		return // they only stay a little longer
	}
	for _, e := range entries {
		kind, numbers, _ := strings.Cut(e.Name(), "-")
		var slot, generation, pid int
		switch _, err := fmt.Sscanf(numbers, "%d-%d-%d", &slot, &generation, &pid); {
		case !e.IsDir():
		case kind == "worker" && err == nil:
			part := gs.base.Child(e.Name())
			if pids, err := part.Processes(); err == nil && !slices.Contains(pids, pid) {
				gs.left = append(gs.left, remains{group: part, slot: slot, killAt: time.Now().Add(lingering)})
			}
		case kind == "gateway" || kind == "mold":
			_ = gs.base.Child(e.Name()).Remove() // EBUSY: it lives
		}
	}
}

// place moves a process into a part of its own. One that has ended meanwhile is no
// failure; any other is told of once, and the process is served where it is.
func (m *master) place(name string, pid int) (cgroup.Group, bool) {
	gs := &m.groups
	if !gs.on {
		return cgroup.Group{}, false
	}
	part, err := gs.base.Make(name)
	if err == nil {
		err = part.Add(pid)
	}
	switch {
	case err == nil:
		return part, true
	case errors.Is(err, unix.ESRCH):
		_ = part.Remove() // nothing ever was in it
	case !gs.broken:
		gs.broken = true
		m.log.Warn("process not moved into a control group of its own", "group", name, "pid", pid, "error", err)
	}
	return cgroup.Group{}, false
}

// placeChild gives a gateway or a mold its part. It was started in ours, and has
// started nothing itself yet.
func (m *master) placeChild(c *child, name string) { m.place(name, c.pid) }

// placeWorker gives a new worker its part, before it has loaded the application as a
// rule. Whatever it forks from then on is in it, unless it has the rights and the
// will to leave.
func (m *master) placeWorker(w *worker) {
	part, ok := m.place(workerGroup(w), w.pid)
	high := w.gen.plan.settings.WorkerMemoryHigh()
	if !ok || high == 0 || !m.groups.memory {
		return
	}
	if err := part.SetMemoryHigh(int64(high)); err != nil && !m.groups.broken {
		m.groups.broken = true
		m.log.Warn("memory of a worker not limited", "slot", int(w.slot), "pid", w.pid, "error", err)
	}
}

// usage reads what a worker and its children have used and use. It reports false
// where nobody counts.
func (gs *groups) usage(w *worker) (cgroup.Usage, bool) {
	if !gs.on || w.pid == 0 {
		return cgroup.Usage{}, false
	}
	u, err := gs.base.Child(workerGroup(w)).Usage()
	return u, err == nil
}

// pressure is that of all processes of the service.
func (gs *groups) pressure(r cgroup.Resource) (*cgroup.Pressure, error) {
	if !gs.on {
		return nil, cgroup.ErrNoPressure
	}
	return gs.base.Pressure(r)
}

// cleanAfter hears that a worker was reaped. What it left gets a moment to end.
func (m *master) cleanAfter(w *worker) {
	gs := &m.groups
	if !gs.on {
		return
	}
	if u, ok := gs.usage(w); ok {
		m.log.Debug("worker used", "slot", int(w.slot), "pid", w.pid, "cpu", u.CPU, "memory_peak", u.MemoryPeak, "oom_kills", u.OOMKills)
	}
	gs.left = append(gs.left, remains{group: gs.base.Child(workerGroup(w)), slot: int(w.slot), killAt: time.Now().Add(lingering)})
}

// outlived hears that the process of a part was reaped whose children are not
// killed: a mold's may be workers that nobody knows yet, or help all workers.
func (gs *groups) outlived(name string) {
	if gs.on {
		gs.left = append(gs.left, remains{group: gs.base.Child(name), slot: -1})
	}
}

// tidyGroups removes the parts that are empty, and kills what outstays its time.
func (m *master) tidyGroups(now time.Time) {
	m.groups.left = slices.DeleteFunc(m.groups.left, func(r remains) bool { return r.group.Remove() == nil })
	for i := range m.groups.left {
		r := &m.groups.left[i]
		if r.killed || r.killAt.IsZero() || now.Before(r.killAt) {
			continue
		}
		r.killed = true
		pids, _ := r.group.Processes() // for the log alone
		if err := r.group.Kill(); err != nil {
			m.log.Error("processes left by a worker not killed", "slot", r.slot, "pids", pids, "error", err)
			continue
		}
		m.log.Warn("processes left by a worker killed", "slot", r.slot, "pids", pids)
	}
}
