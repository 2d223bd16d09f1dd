package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/pool"
)

// master keeps one generation of workers, and during an exchange two. The goroutine
// of run owns it.
type master struct {
	exe      string
	workers  int
	sockets  []activation.Socket
	notifier *activation.Notifier
	changes  chan change

	serving, next *generation
	running       int // generations whose pool has not ended
}

// generation is the workers that one build of the program runs as.
type generation struct {
	number int
	pool   *pool.Pool
	leave  context.CancelCauseFunc
	ready  int
}

// change is what happened to a generation: a move of one worker, or its end.
type change struct {
	gen   *generation
	move  pool.Change
	ended bool
}

var (
	errStop     = errors.New("told to stop")
	errReplaced = errors.New("replaced by a newer generation")
	errBroken   = errors.New("its workers do not start")
)

// run serves until stop ends, or the first workers cannot be started.
func (m *master) run(stop context.Context, hangUp <-chan os.Signal) (err error) {
	if m.next, err = m.start(1); err != nil {
		return err
	}
	done := stop.Done()
	for m.running > 0 {
		select {
		case <-done:
			done = nil
			_ = m.notifier.Stopping("finishing requests")
			m.dismiss(errStop)
		case <-hangUp:
			m.exchange(stop)
		case c := <-m.changes:
			if c.ended {
				m.running--
				continue
			}
			if failure := m.moved(c); failure != nil && m.serving == nil && stop.Err() == nil {
				err = failure // nothing ever served
				m.dismiss(errBroken)
			}
		}
	}
	for _, s := range m.sockets {
		_ = s.Close() // nobody is left to use it
	}
	return err
}

// dismiss asks every worker to leave.
func (m *master) dismiss(why error) {
	for _, g := range []*generation{m.serving, m.next} {
		if g != nil {
			g.leave(why)
		}
	}
}

// exchange starts the build that is on disk now beside the one that serves.
func (m *master) exchange(stop context.Context) {
	if m.next != nil || stop.Err() != nil {
		log.Print("exchange refused: one is under way, or the service is stopping")
		return
	}
	next, err := m.start(m.serving.number + 1)
	if err != nil {
		log.Printf("exchange failed: %v", err)
		return
	}
	m.next = next
}

// moved counts who is ready. It returns why a generation cannot be brought up.
func (m *master) moved(c change) error {
	g := c.gen
	if c.move.To == pool.Idle {
		g.ready++
	}
	if c.move.From == pool.Idle {
		g.ready--
	}
	switch {
	case g != m.next:
	case c.move.Death != nil && !c.move.Death.Booted:
		d := c.move.Death
		err := fmt.Errorf("generation %d: a worker ended before it was ready: %v, status %d", g.number, d.Cause, d.Exit.Status)
		log.Print(err)
		if m.serving != nil {
			m.next = nil
			g.leave(errBroken) // the old ones go on
		}
		return err
	case g.ready == m.workers:
		if m.serving != nil {
			m.serving.leave(errReplaced)
		}
		m.serving, m.next = g, nil
		log.Printf("generation %d serves", g.number)
		_ = m.notifier.Ready(fmt.Sprintf("generation %d, %d workers", g.number, g.ready))
	}
	return nil
}

// start makes a generation and lets its pool run.
func (m *master) start(number int) (*generation, error) {
	g := &generation{number: number}
	orders := make(chan pool.SlotID, pool.MaxSize) // at most one for each slot
	var err error
	g.pool, err = pool.New(pool.Config{
		Size:   m.workers,
		Limits: pool.Limits{Boot: 30 * time.Second, Grace: 30 * time.Second},
		// The pool must not wait for a process that starts.
		Spawn:   func(slot pool.SlotID) { orders <- slot },
		Changed: func(c pool.Change) { m.changes <- change{gen: g, move: c} },
	})
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancelCause(context.Background())
	g.leave = leave
	m.running++
	go func() {
		for slot := range orders {
			if pid, err := m.spawn(g, slot); err != nil {
				log.Printf("start a worker: %v", err)
				g.pool.SpawnFailed(slot, err)
			} else {
				g.pool.Spawned(slot, pid) // from here on the pool reaps it
			}
		}
	}()
	go func() {
		_ = g.pool.Run(ctx) // it fails only when it is called twice
		close(orders)
		m.changes <- change{gen: g, ended: true}
	}()
	return g, nil
}

// spawn starts one worker: descriptor 3 is its life line, 4 the pipe on which it says
// that it is ready, the sockets follow.
//
// Neither os/exec nor os.StartProcess: the one reaps, which is the pool's business, and
// both take an *os.File, whose Fd method would make the sockets blocking.
func (m *master) spawn(g *generation, slot pool.SlotID) (pid int, err error) {
	var life, ready [2]int
	if err := syscall.Pipe2(life[:], syscall.O_CLOEXEC); err != nil {
		return 0, err
	}
	defer syscall.Close(life[0])
	if err := syscall.Pipe2(ready[:], syscall.O_CLOEXEC); err != nil {
		_ = syscall.Close(life[1]) // nothing was written
		return 0, err
	}
	defer syscall.Close(ready[1])
	files := []uintptr{0, 1, 2, uintptr(life[0]), uintptr(ready[1])}
	for _, s := range m.sockets {
		files = append(files, uintptr(s.FD))
	}
	pid, _, err = syscall.StartProcess(m.exe, []string{m.exe}, &syscall.ProcAttr{
		Env:   append(activation.Unset(os.Environ()), workerEnv+"=1"), // systemd's words are for the master
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // Ctrl-C is for the master
	})
	if err != nil {
		_ = syscall.Close(life[1]) // nothing was written
		_ = syscall.Close(ready[0])
		return 0, err
	}
	go func() {
		said := os.NewFile(uintptr(ready[0]), "ready")
		if _, err := io.ReadFull(said, make([]byte, 1)); err == nil {
			g.pool.Ready(slot, pid)
		}
		_, _ = io.Copy(io.Discard, said) // returns when the worker has ended
		_ = said.Close()
		_ = syscall.Close(life[1]) // open until here: its end would tell the worker that we are gone
	}()
	return pid, nil
}
