package parts

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/cgroup"
)

const (
	// Master is the part of the service's control group that the master is in.
	Master = "master"
	// lingering is how long what a worker leaves behind may take to end by itself:
	// much of it notices the worker's death by the end of a pipe, and tidies up
	// then, as Python's tracker of shared memory does.
	lingering = time.Second
)

// Off is the choice of [Divide] that leaves the group whole.
const Off = "off"

// On is the choice of [Divide] that takes a group for delegated, and is told of why it
// cannot be divided.
const On = "on"

var errUndivided = errors.New("control_groups is off")

// Worker names the part of a worker. Names follow from what a master knows that executed
// itself anew, and no two processes share one.
func Worker(slot, generation, pid int) string {
	return fmt.Sprintf("worker-%d-%d-%d", slot, generation, pid)
}

// Gateway names the part of a gateway.
func Gateway(pid int) string { return fmt.Sprintf("gateway-%d", pid) }

// Mold names the part of a mold.
func Mold(generation, pid int) string { return fmt.Sprintf("mold-%d-%d", generation, pid) }

// Parts is the control group of the service with its parts. Make one with [Divide].
type Parts struct {
	log    hclog.Logger
	base   cgroup.Group
	memory bool // the parts have the memory controller
	broken bool // something failed and was told of
	rigid  bool // the kernel freezes nothing
	left   []remains
}

// remains is a part whose process has ended. It is removed once it is empty.
type remains struct {
	group  cgroup.Group
	slot   int       // of the worker; -1 if it was none
	killAt time.Time // what is in it is killed then; zero: never
	killed bool
}

// Divide takes the service's control group into use, if it was delegated and when, the
// setting control_groups, does not say off, and moves the calling process into a part: a group
// that has parts with controllers may hold no process itself. It returns nil if the group
// stays whole. limited says that a limit on the memory of workers is wanted.
func Divide(when string, limited bool, log hclog.Logger) *Parts {
	p, err := divide(when, log)
	switch {
	case err == nil || when == Off:
	case when == On:
		log.Warn("control group not divided", "reason", err, "instead", "set control_groups to auto")
	default:
		log.Debug("control group not divided", "reason", err)
	}
	switch {
	case !limited || p != nil && p.memory:
	case err != nil:
		log.Warn("setting counts for nothing", "setting", "worker_memory_high", "reason", err)
	default:
		log.Warn("setting counts for nothing", "setting", "worker_memory_high",
			"reason", "the control group has no memory controller (Delegate=memory, and cgroup v2 for memory)")
	}
	return p
}

func divide(when string, log hclog.Logger) (*Parts, error) {
	if when == Off {
		return nil, errUndivided
	}
	base, err := cgroup.Delegated(Master, when == On)
	if err != nil {
		return nil, err
	}
	own, err := base.Make(Master)
	if err == nil {
		err = own.Add(0)
	}
	if err != nil {
		return nil, err
	}
	on, err := base.Enable("memory")
	p := &Parts{log: log, base: base, memory: slices.Contains(on, "memory")}
	log.Debug("control group divided", "path", base.Dir(), "controllers", on, "error", err)
	p.adopt()
	return p, nil
}

// adopt finds what a master before us left: parts of processes that have ended
// since. A process that lives is in the part that has its number.
func (p *Parts) adopt() {
	entries, err := os.ReadDir(p.base.Dir())
	if err != nil {
		return // they only stay a little longer
	}
	for _, e := range entries {
		kind, numbers, _ := strings.Cut(e.Name(), "-")
		if e.IsDir() {
			_ = p.base.Child(e.Name()).Freeze(false) // whoever is left finds out that nobody needs it; else it would stay for ever
		}
		var slot, generation, pid int
		switch _, err := fmt.Sscanf(numbers, "%d-%d-%d", &slot, &generation, &pid); {
		case !e.IsDir():
		case kind == "worker" && err == nil:
			part := p.base.Child(e.Name())
			if pids, err := part.Processes(); err == nil && !slices.Contains(pids, pid) {
				p.left = append(p.left, remains{group: part, slot: slot, killAt: time.Now().Add(lingering)})
			}
		case kind == "gateway" || kind == "mold":
			_ = p.base.Child(e.Name()).Remove() // EBUSY: it lives
		}
	}
}

// Place moves a process, which has started nothing itself yet, into a part of its own.
// Whatever it forks from then on is in it, unless it has the rights and the will to
// leave. One that has ended meanwhile is no failure; any other is told of once, and the
// process goes on where it is.
func (p *Parts) Place(name string, pid int) { p.place(name, pid) }

func (p *Parts) place(name string, pid int) (cgroup.Group, bool) {
	if p == nil {
		return cgroup.Group{}, false
	}
	part, err := p.base.Make(name)
	if err == nil {
		err = part.Add(pid)
	}
	switch {
	case err == nil:
		return part, true
	case errors.Is(err, unix.ESRCH):
		_ = part.Remove() // nothing ever was in it
	case !p.broken:
		p.broken = true
		p.log.Warn("process not moved into a control group of its own", "group", name, "pid", pid, "error", err)
	}
	return cgroup.Group{}, false
}

// PlaceLimited is [Parts.Place] with a gentle limit on the memory of the part, in bytes;
// 0 is none.
func (p *Parts) PlaceLimited(name string, pid, high int) {
	part, ok := p.place(name, pid)
	if !ok || high == 0 || !p.memory {
		return
	}
	if err := part.SetMemoryHigh(int64(high)); err != nil && !p.broken {
		p.broken = true
		p.log.Warn("memory of a worker not limited", "group", name, "pid", pid, "error", err)
	}
}

// Freeze stops the processes of a part, or lets them go on. It reports whether that was
// done: nothing is where the group is whole, and a kernel before Linux 5.2 cannot.
func (p *Parts) Freeze(name string, frozen bool) bool {
	if p == nil || p.rigid && frozen {
		return false
	}
	err := p.base.Child(name).Freeze(frozen)
	if errors.Is(err, unix.ENOENT) || err == nil {
		return err == nil // or the process has ended, and the part with it
	}
	p.rigid = p.rigid || frozen
	p.log.Debug("control group not frozen", "group", name, "frozen", frozen, "error", err)
	return false
}

// Service is the control group with all processes of the service: it tells the same where it
// is not ours to divide.
func (p *Parts) Service() (cgroup.Group, error) {
	if p == nil {
		return cgroup.Own()
	}
	return p.base, nil
}

// Part names the part of a process, and reports false if nothing is divided.
func (p *Parts) Part(name string) (cgroup.Group, bool) {
	if p == nil {
		return cgroup.Group{}, false
	}
	return p.base.Child(name), true
}

// Pressure is that of all processes of the service.
func (p *Parts) Pressure(r cgroup.Resource) (*cgroup.Pressure, error) {
	if p == nil {
		return nil, cgroup.ErrNoPressure
	}
	return p.base.Pressure(r)
}

// Died hears that the worker of a slot was reaped. What it left in its part gets a moment
// to end by itself, and is killed then.
func (p *Parts) Died(name string, slot int) {
	if p == nil {
		return
	}
	part := p.base.Child(name)
	if u, err := part.Usage(); err == nil {
		p.log.Debug("worker used", "slot", slot, "group", name, "cpu", u.CPU, "memory_peak", u.MemoryPeak, "oom_kills", u.OOMKills)
	}
	p.left = append(p.left, remains{group: part, slot: slot, killAt: time.Now().Add(lingering)})
}

// Outlived hears that the process of a part was reaped whose children are not
// killed: a mold's may be workers that nobody knows yet, or help all workers.
func (p *Parts) Outlived(name string) {
	if p != nil {
		p.left = append(p.left, remains{group: p.base.Child(name), slot: -1})
	}
}

// Tidy removes the parts that are empty, and kills what outstays its time.
func (p *Parts) Tidy(now time.Time) {
	if p == nil {
		return
	}
	p.left = slices.DeleteFunc(p.left, func(r remains) bool { return r.group.Remove() == nil })
	for i := range p.left {
		r := &p.left[i]
		if r.killed || r.killAt.IsZero() || now.Before(r.killAt) {
			continue
		}
		r.killed = true
		pids, _ := r.group.Processes() // for the log alone
		if err := r.group.Kill(); err != nil {
			p.log.Error("processes left by a worker not killed", "slot", r.slot, "pids", pids, "error", err)
			continue
		}
		p.log.Warn("processes left by a worker killed", "slot", r.slot, "pids", pids)
	}
}
