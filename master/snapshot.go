package master

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
)

// Status says what the service does. What only the pools and the kernel know is asked
// beside the loop.
func (d *desk) Status(ctx context.Context) (control.Status, error) {
	m := d.m
	var pools map[int]*pool.Pool
	var listeners []activation.Socket
	var divided groups
	own := map[int]cgroup.Group{}
	s, err := ask(ctx, m, func() (control.Status, error) {
		pools, listeners = map[int]*pool.Pool{}, slices.Clone(m.sockets)
		for _, g := range m.generations() {
			pools[g.number] = g.pool
			for _, w := range g.workers {
				if m.groups.on && w.pid != 0 {
					own[w.pid] = m.groups.base.Child(workerGroup(w))
				}
			}
		}
		divided = m.groups
		return m.snapshot(), nil
	})
	if err != nil {
		return s, err
	}
	pids := []int{s.PID, s.Gateway.PID, s.Mold.PID}
	for number, p := range pools {
		for _, state := range p.Snapshot() {
			for i := range s.Workers {
				w := &s.Workers[i]
				if w.Generation == number && w.Slot == int(state.Slot) && w.PID == state.PID {
					w.For, w.Restarts = state.For.Seconds(), state.Restarts
				}
			}
		}
	}
	for _, w := range s.Workers {
		pids = append(pids, w.PID)
	}
	found := d.vitals.of(slices.DeleteFunc(pids, func(pid int) bool { return pid == 0 }), own)
	s.Master, s.Mold, s.Gateway.Process = found[s.PID].Process, found[s.Mold.PID].Process, found[s.Gateway.PID].Process
	for i := range s.Workers {
		known := found[s.Workers[i].PID]
		s.Workers[i].Process, s.Workers[i].Group = known.Process, known.group
	}
	s.Pressure = d.pressure(divided)
	s.Listeners = describeListeners(listeners, s.Listeners)
	return s, nil
}

// snapshot is what the loop knows by itself.
func (m *master) snapshot() control.Status {
	s := control.Status{
		Name: m.name(), Version: m.cfg.Version, PID: m.cfg.PID, Stage: m.stage.String(), Text: m.words(),
		Since: m.began.Round(time.Millisecond), Generation: m.gen.number, Wanted: m.gen.wanted, LogLevel: m.cfg.Log.GetLevel().String(),
		Gateway: m.gen.gate.count(), Totals: m.totals(), Workers: []control.Worker{}, Deaths: slices.Clone(m.chronicle.deaths),
	}
	if c := m.gen.mold.child; c != nil {
		s.Mold.PID = c.pid
	}
	for _, g := range m.generations() {
		for _, w := range g.workers {
			if w.pid != 0 {
				s.Workers = append(s.Workers, describeWorker(w))
			}
		}
	}
	slices.SortFunc(s.Workers, func(a, b control.Worker) int { return (a.Generation-b.Generation)*pool.MaxSize + a.Slot - b.Slot })
	if r, known := m.findReload(m.reloads.latest()); known {
		s.Reload = &r
	}
	for _, socket := range m.sockets {
		s.Listeners = append(s.Listeners, m.describeListener(socket))
	}
	return s
}

// name is what a person calls the service.
func (m *master) name() string {
	if name := m.plan.settings.ProcName(); name != "" {
		return name
	}
	return m.app(m.plan)
}

// count adds up what the loops of a gateway have written.
func (gt *gate) count() (c control.Gateway) {
	if gt.child != nil {
		c.PID = gt.child.pid
	}
	var oldest int64
	for i := range gt.board.Loops() {
		row := gt.board.Loop(i)
		c.Connections += row.Connections()
		c.Queued += row.Queued()
		c.Dispatched += row.Dispatched()
		c.Answered += row.Answered()
		c.Accepted += row.Accepted()
		if since := row.Oldest(); since != 0 && (oldest == 0 || since < oldest) {
			oldest = since
		}
	}
	if oldest != 0 {
		c.Oldest = age(oldest)
	}
	return c
}

// totals are what all gateways have counted.
func (m *master) totals() control.Totals {
	f := m.figures()
	t := control.Totals{Received: f.Received, Sent: f.Sent, Latency: control.Histogram{Counts: slices.Clone(f.Latency.Buckets[:])}}
	for _, bound := range gateway.Bounds() {
		t.Latency.Bounds = append(t.Latency.Bounds, bound.Seconds())
	}
	for _, classes := range f.Requests {
		for i, n := range classes {
			if t.Answered += n; i == 4 {
				t.Failed += n
			}
		}
	}
	return t
}

// age is how long ago an instant of the scoreboard was, in seconds.
func age(since int64) float64 {
	return max(time.Duration(dispatch.Monotonic()-since), 0).Round(time.Millisecond).Seconds()
}

// describeWorker reads the rows of a worker's seats.
func describeWorker(w *worker) control.Worker {
	d := control.Worker{
		Slot: int(w.slot), Generation: w.gen.number, Phase: w.phase.String(), Seats: 1,
		Leaves: w.released || w.phase == pool.Draining,
	}
	d.PID = w.pid
	if c := w.gen.course.Load(); c != nil {
		d.Seats = c.seats
	}
	for seat := range w.gen.board.Seats() {
		row := w.gen.board.Seat(int(w.slot), seat)
		d.Answered += row.Answered()
		if id, start := row.Request(); id != 0 {
			d.Busy++
			d.Oldest = max(d.Oldest, age(start))
		}
	}
	return d
}

// Requests are those that seats hold, the oldest first.
func (d *desk) Requests(ctx context.Context) ([]control.Request, error) {
	return ask(ctx, d.m, func() ([]control.Request, error) {
		all := []control.Request{}
		for _, g := range d.m.generations() {
			for _, w := range g.workers {
				for seat := range g.board.Seats() {
					if id, start := g.board.Seat(int(w.slot), seat).Request(); id != 0 && w.pid != 0 {
						all = append(all, control.Request{
							ID: fmt.Sprintf("%#x", id), Slot: int(w.slot), Seat: seat, Generation: g.number, PID: w.pid, Age: age(start),
						})
					}
				}
			}
		}
		slices.SortFunc(all, func(a, b control.Request) int {
			switch {
			case a.Age > b.Age:
				return -1
			case a.Age < b.Age:
				return 1
			}
			return 0
		})
		return all, nil
	})
}

// describeListener says of a listener what its own socket tells.
func (m *master) describeListener(socket activation.Socket) control.Listener {
	l := control.Listener{Name: socket.Name, Network: socket.Network, Address: socket.Address, From: "systemd"}
	if socket.Owned {
		l.From = "bind"
		backlog := m.plan.settings.Backlog()
		l.Backlog = &backlog
	}
	if strings.HasPrefix(socket.Network, "tcp") {
		// Of a listening socket the kernel gives the length of its accept queue here,
		// and its bound.
		if info, err := unix.GetsockoptTCPInfo(socket.FD, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			waiting, backlog := int(info.Unacked), int(info.Sacked)
			l.Waiting, l.Backlog = &waiting, &backlog
		}
	}
	return l
}

// describeListeners adds what the kernel's list of Unix sockets tells: a connection
// that nobody has accepted has the path of its listener, and no inode.
func describeListeners(sockets []activation.Socket, all []control.Listener) []control.Listener {
	if !slices.ContainsFunc(sockets, func(s activation.Socket) bool { return s.Network == "unix" }) {
		return all
	}
	text, err := os.ReadFile("/proc/self/net/unix")
	if err != nil {
		return all
	}
	waiting := map[string]int{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 8 && fields[5] == unaccepted && fields[6] == "0" {
			waiting[strings.Join(fields[7:], " ")]++
		}
	}
	for i, socket := range sockets {
		if socket.Network == "unix" && i < len(all) {
			n := waiting[socket.Address]
			all[i].Waiting = &n
		}
	}
	return all
}

// unaccepted is the state SS_CONNECTING in /proc/net/unix.
const unaccepted = "02"
