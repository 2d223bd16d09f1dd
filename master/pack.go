package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// packing is a service that is being taken apart for the next image.
type packing struct {
	m      *master
	copies map[any]int // the descriptors that the next image gets, by the channel or file they are of
}

// pack stops everything that goes on in this process, hears what it still had to
// say, and writes down what is left. The processes notice nothing: none is signalled
// or reaped, and what they say waits in their sockets. From then on the master is an
// empty hull, until restore fills it again from the state.
//
// The service must be quiet. On an error it is as it was.
func (m *master) pack() (*state, error) {
	g, p := m.gen, &packing{m: m, copies: map[any]int{}}
	config, err := json.Marshal(g.gate.plan.gateway)
	if err == nil {
		err = p.copyChannels()
	}
	if err != nil {
		closeAll(p.unclaimed())
		return nil, err
	}
	p.hush()
	workers, err := g.pool.Suspend()
	if err != nil {
		m.lost = err // it ends, which nothing in a quiet service can have told it
		return nil, err
	}
	g.retire(nil) // the pool has ended: this gives its context back
	m.hearAll()   // of those who ended before the pool had let go
	m.obituaries.publishAll()
	st := p.write()
	st.Generation.Pool, st.Gateway.Config = workers, config
	m.carry(st)
	for original := range p.copies {
		_ = original.(io.Closer).Close() // its copy goes on
	}
	closeAll(p.unclaimed())
	st.Gateway.Board, st.Gateway.Counts, st.Generation.Board = g.gate.board.Detach(), g.gate.counts.Detach(), g.board.Detach()
	m.numbers.client.Close()
	m.numbers = numbers{}
	return st, nil
}

// copyChannels makes the descriptors for the next image while there is a way back:
// this is what fails when there are no more to be had.
func (p *packing) copyChannels() error {
	for _, c := range p.m.children() {
		if c.closed {
			continue
		}
		if err := p.copy(c.channel); err != nil {
			return err
		}
	}
	for _, w := range p.m.gen.workers {
		if w.report == nil || w.silent {
			continue
		}
		if err := p.copy(w.report); err != nil {
			return err
		}
		if w.stacks == nil {
			continue
		}
		fd, err := unix.FcntlInt(rawFD(w.stacks.File), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("copy the descriptor of the stacks of slot %d: %w", w.slot, err)
		}
		p.copies[w.stacks] = fd
	}
	return nil
}

func (p *packing) copy(c *dispatch.Channel) error {
	fd, err := c.Dup()
	if err == nil {
		p.copies[c] = fd
	}
	return err
}

// hush stops the goroutines that listen and watch, and hears what they had heard.
func (p *packing) hush() {
	m := p.m
	for original := range p.copies {
		if channel, ok := original.(*dispatch.Channel); ok {
			_ = channel.Interrupt() // it is open: it was copied a moment ago
		}
	}
	for _, c := range m.children() {
		c.release()
	}
	for _, w := range m.gen.workers {
		if w.heard != nil && !w.silent {
			<-w.heard
		}
	}
	m.hearAll()
}

// hearAll hears every fact that was posted. Those of readers that run come later.
func (m *master) hearAll() {
	for facts := m.facts.Take(); len(facts) > 0; facts = m.facts.Take() {
		for _, f := range facts {
			m.heard(f)
		}
	}
}

// claim returns the copy of what a channel or file is of, which belongs to the state
// from then on; -1 if there is none.
func (p *packing) claim(original any) int {
	fd, there := p.copies[original]
	if !there {
		return -1
	}
	p.copies[original] = -1
	return fd
}

// unclaimed are the copies that nobody needs: of those who ended meanwhile.
func (p *packing) unclaimed() (fds []int) {
	for _, fd := range p.copies {
		fds = append(fds, fd) // closeAll passes over -1
	}
	return fds
}

// write notes everything but what the packing takes apart after it.
func (p *packing) write() *state {
	m := p.m
	g, gt := m.gen, m.gen.gate
	st := &state{
		Version: stateVersion, Writer: m.cfg.Version, Path: m.path, Args: m.cfg.Args, Home: m.home, Began: m.began,
		Epoch: m.epoch, Last: m.last, PIDFile: m.plan.pidFile.Path, Keep: m.cfg.Keep,
		Gateway: heldGateway{heldChild: p.child(gt.child), Ordered: gt.ordered, Serving: gt.serving},
		Generation: heldGeneration{
			Number: g.number, Settings: g.plan.settings.Records(), Script: g.plan.script.Name, Python: g.plan.script.Python,
			Hooks: g.plan.hooks, Dir: g.plan.dir, Wanted: g.wanted, Before: g.before, Lane: g.lane.numbers(), Own: g.own,
			Mold: p.child(g.mold.child), Configured: g.mold.configured,
		},
		Reload: heldReload{Began: m.reload.began, Again: m.reload.again, Exchange: m.reload.exchange},
	}
	for _, s := range m.plan.sockets {
		st.Sockets = append(st.Sockets, holdSocket(s))
	}
	if c := g.course.Load(); c != nil {
		st.Generation.Course = &heldCourse{Interface: c.iface, Seats: c.seats, Own: c.own}
	}
	for _, w := range g.workers {
		if w.pid != 0 { // the others are ordered anew
			st.Generation.Workers = append(st.Generation.Workers, p.worker(w))
		}
	}
	return st
}

func (p *packing) child(c *child) heldChild {
	if c == nil {
		return heldChild{Channel: -1}
	}
	return heldChild{PID: c.pid, Channel: p.claim(c.channel), Started: c.started}
}

func (p *packing) worker(w *worker) heldWorker {
	h := heldWorker{
		Slot: int(w.slot), PID: w.pid, Report: p.claim(w.report), Replies: w.reply,
		Stacks: p.claim(w.stacks),
		Ready:  w.ready, Joined: w.joined, Refused: w.refused, Replaced: w.replaced, Released: w.released, Large: w.large,
	}
	if w.stacks != nil {
		h.Signal = int(w.stacks.signal)
	}
	if w.own != nil {
		ends := w.own.numbers()
		h.Lane = &ends
	}
	return h
}

// numbers are the descriptors of a lane: the gateway's end, the workers' end.
func (l lane) numbers() [2]int { return [2]int{l.gateway, l.workers} }

// interrupted reports that a reader was told to stop.
func interrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
