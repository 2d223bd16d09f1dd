package programs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// inherit takes the sockets that systemd passed. Programs get them as they came: the
// unit's NonBlocking= is about them.
func (m *master) inherit() error {
	passed, err := activation.Descriptors(m.env, m.cfg.PID)
	if err != nil {
		return err
	}
	blocking := make(map[int]bool)
	for _, d := range passed {
		if flags, err := unix.FcntlInt(uintptr(d.FD), unix.F_GETFL, 0); err == nil {
			blocking[d.FD] = flags&unix.O_NONBLOCK == 0
		}
	}
	if m.passed, err = activation.Inherited(m.env, m.cfg.PID); err != nil {
		return err
	}
	m.stored, m.passed = desk.TakeStored(m.passed) // programs are to know nothing of the store
	for _, s := range m.passed {
		if blocking[s.FD] {
			if err := unix.SetNonblock(s.FD, false); err != nil {
				return fmt.Errorf("make listener %s blocking again: %w", s.Name, err)
			}
		}
	}
	return nil
}

// openSockets takes the sockets that systemd passed for p and binds those of --bind
// beside them, but for those that are bound already. The default address is bound
// only if there is neither. It fails as a whole.
func (m *master) openSockets(ctx context.Context, p *plan) error {
	p.sockets = slices.Clone(m.passed)
	s := p.settings
	if len(m.passed) == 0 || s.Source("bind") != settings.Default {
		for _, address := range s.Bind() {
			if err := m.bind(ctx, p, address); err != nil {
				return err
			}
		}
	}
	if s.ExecPerWorker() && len(p.single) == 0 {
		return errors.New("per-worker is for TCP addresses of --bind, and there is none; name one or leave it out")
	}
	if s.ExecPerWorker() && (s.MaxWorkerAge() > 0 || s.MaxWorkerMemory() > 0) {
		return errors.New("per-worker and max-worker-age or max-worker-memory exclude each other: a successor comes into another slot, and what waits in the listener of the old one would wait for ever; leave one out")
	}
	for _, s := range p.sockets {
		if m.plan != nil && !slices.Contains(p.fresh, s) {
			continue // it was said when it was opened
		}
		origin := "systemd"
		if s.Owned {
			origin = "bind"
		}
		m.log.Info("listening", "listener", s.Name, "address", s.Address, "network", s.Network, "from", origin)
	}
	return nil
}

// socketMode lets everybody connect to a Unix socket of --bind; who may reach it is
// said by its directory.
const socketMode = 0o777

func listenOptions(s *settings.Values) activation.ListenOptions {
	return activation.ListenOptions{Backlog: s.Backlog(), Mode: socketMode &^ fs.FileMode(s.Umask())}
}

// bind opens the socket of one --bind, or notes that each worker has its own.
func (m *master) bind(ctx context.Context, p *plan, address string) error {
	bind, err := activation.ParseBind(address)
	if err != nil {
		return err
	}
	if bind.Network == "tcp" && p.settings.ExecPerWorker() {
		p.single = append(p.single, bind)
		return m.openSlot(ctx, p, 0) // whatever is wrong with the address shows now
	}
	passed := func(s activation.Socket) bool { return bind.Network == "fd" && s.FD == bind.FD }
	if slices.ContainsFunc(p.sockets, passed) {
		return nil
	}
	for _, s := range m.sockets {
		if bound, err := activation.ParseBind(s.Name); err == nil && bound.String() == bind.String() {
			p.sockets = append(p.sockets, s)
			return nil
		}
	}
	if socket, there := m.stored.Reclaim(bind, p.settings.Backlog(), m.log); there {
		p.sockets = append(p.sockets, socket)
		return m.yield(p, socket)
	}
	socket, err := activation.Listen(ctx, bind, listenOptions(p.settings))
	if err == nil {
		err = m.yield(p, socket)
	}
	if err != nil {
		return err
	}
	p.sockets, p.fresh = append(p.sockets, socket), append(p.fresh, socket)
	return nil
}

// yield makes a new socket what programs expect of one that systemd passed.
func (m *master) yield(p *plan, s activation.Socket) error {
	if p.settings.ExecNonblocking() || !s.Owned {
		return nil
	}
	if err := unix.SetNonblock(s.FD, false); err != nil {
		m.closeSocket(s)
		return fmt.Errorf("make listener %s blocking: %w", s.Name, err)
	}
	return nil
}

// berth is the sockets that only the workers of one slot have. They outlive the
// workers: what waits in them is for the next one.
type berth struct {
	slot    pool.SlotID
	binds   []string // as written
	sockets []activation.Socket
}

// openSlot opens the sockets of one slot that are not open yet.
func (m *master) openSlot(ctx context.Context, p *plan, slot pool.SlotID) error {
	if len(p.single) == 0 {
		return nil
	}
	b := m.berths[slot]
	if b == nil {
		b = &berth{slot: slot}
		m.berths[slot] = b
	}
	for _, bind := range p.single {
		if slices.Contains(b.binds, bind.Text) {
			continue
		}
		options := listenOptions(p.settings)
		options.ReusePort = true
		at := bind
		if address, known := m.chosen[bind.Text]; known {
			var err error
			if at, err = activation.ParseBind(address); err != nil {
				return err
			}
		}
		socket, err := activation.Listen(ctx, at, options)
		if err == nil {
			err = m.yield(p, socket)
		}
		if err != nil {
			return err
		}
		socket.Name = bind.Text
		if _, known := m.chosen[bind.Text]; !known {
			m.chosen[bind.Text] = socket.Address // the port that was chosen for :0 is that of all
			m.log.Info("listening", "listener", bind.Text, "address", socket.Address, "network", socket.Network, "from", "bind", "sockets", "one per worker")
		}
		b.binds, b.sockets = append(b.binds, bind.Text), append(b.sockets, socket)
	}
	return nil
}

// trimBerths closes the sockets of slots that nobody will fill again, and those of
// addresses that no generation has any more.
func (m *master) trimBerths() {
	for slot, b := range m.berths {
		needed := m.occupied(slot) || m.wantsSlot(slot)
		for i := len(b.sockets) - 1; i >= 0; i-- {
			if needed && m.binds(b.binds[i]) {
				continue
			}
			m.closeSocket(b.sockets[i])
			b.binds, b.sockets = slices.Delete(b.binds, i, i+1), slices.Delete(b.sockets, i, i+1)
		}
		if len(b.sockets) == 0 {
			delete(m.berths, slot)
		}
	}
	maps.DeleteFunc(m.chosen, func(text, _ string) bool { return !m.binds(text) })
}

// binds reports whether a generation that is there binds this address for each of its
// workers.
func (m *master) binds(text string) bool {
	return slices.ContainsFunc(m.generations(), func(g *generation) bool { return g.plan.isSingle(text) })
}

func (p *plan) isSingle(text string) bool {
	return slices.ContainsFunc(p.single, func(bind activation.Bind) bool { return bind.Text == text })
}

// listeners are the sockets for a worker, with their names for LISTEN_FDNAMES: those
// of the units, and for bound ones bind0, bind1 …, since an address has colons.
func (m *master) listeners(p *plan, slot pool.SlotID) (fds []int, names []string) {
	all := slices.Clone(p.sockets)
	if b := m.berths[slot]; b != nil {
		for i, s := range b.sockets {
			if p.isSingle(b.binds[i]) {
				all = append(all, s)
			}
		}
	}
	bound := 0
	for _, s := range all {
		name := s.Name
		if s.Owned || !validName(name) {
			name = fmt.Sprintf("bind%d", bound)
			bound++
		}
		fds, names = append(fds, s.FD), append(names, name)
	}
	return fds, names
}

// inodesOf identifies sockets by their inodes.
func inodesOf(fds []int) map[uint64]bool {
	inodes := make(map[uint64]bool)
	for _, fd := range fds {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil {
			inodes[st.Ino] = true
		}
	}
	return inodes
}

// stopListening closes our copies of the listeners that are ours. Each worker closes
// its own, and with the last the kernel refuses clients.
func (m *master) stopListening() {
	for _, s := range m.sockets {
		m.closeSocket(s)
	}
	m.sockets = nil
	for slot, b := range m.berths {
		for _, s := range b.sockets {
			m.closeSocket(s)
		}
		delete(m.berths, slot)
	}
}

func (m *master) closeSocket(s activation.Socket) {
	if err := s.Close(); err != nil {
		m.log.Warn("listener not closed", "listener", s.Name, "error", err)
	}
}
