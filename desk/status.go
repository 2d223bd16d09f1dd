package desk

import (
	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/pool"
)

// Beside is whom to ask beside the loop for what a status says.
type Beside struct {
	Pools   map[int]*pool.Pool   // by generation
	Parts   map[int]cgroup.Group // of workers that have one of their own, by pid
	Service cgroup.Group         // that all processes of the service are in
}

// Complete adds to a status what the pools and the kernel know of the processes that it
// names, and of Unix sockets. It takes its time, so that no loop calls it.
func (v *Vitals) Complete(s *control.Status, b Beside) {
	pids := []int{}
	note := func(pid int) {
		if pid != 0 {
			pids = append(pids, pid)
		}
	}
	note(s.PID)
	note(s.Gateway.PID)
	note(s.Mold.PID)
	if s.Kept != nil {
		note(s.Kept.Mold)
	}
	for i := range s.Workers {
		note(s.Workers[i].PID)
	}
	for generation, p := range b.Pools {
		for _, state := range p.Snapshot() {
			for i := range s.Workers {
				w := &s.Workers[i]
				if w.Generation == generation && w.Slot == int(state.Slot) && w.PID == state.PID {
					w.For, w.Restarts = state.For.Seconds(), state.Restarts
				}
			}
		}
	}
	found := v.of(pids, b.Parts)
	s.Master, s.Mold, s.Gateway.Process = found[s.PID].Process, found[s.Mold.PID].Process, found[s.Gateway.PID].Process
	for i := range s.Workers {
		known := found[s.Workers[i].PID]
		s.Workers[i].Process, s.Workers[i].Group = known.Process, known.group
	}
	if k := s.Kept; k != nil {
		k.Memory = found[k.Mold].Memory
		for i := range s.Workers {
			if s.Workers[i].Generation == k.Generation {
				k.Memory += s.Workers[i].Memory
			}
		}
	}
	s.Pressure = describePressure(b.Service.Pressure)
	countUnix(s.Listeners)
}
