package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// fault is a thing that can go wrong. inject returns at once; what must be put right
// again it leaves to round.later.
type fault struct {
	name   string
	weight int // how often, in relation to the others
	inject func(r *round)
}

// faults are all there are.
func faults() []fault {
	return []fault{
		{"kill a worker", 8, func(r *round) { r.strike("worker", unix.SIGKILL) }},
		{"abort a worker", 3, func(r *round) { r.strike("worker", unix.SIGABRT) }},
		{"terminate a worker", 3, func(r *round) { r.strike("worker", unix.SIGTERM) }},
		{"stop a worker, continue it", 5, func(r *round) { r.stopFor("worker", r.between(200, 2000)) }},
		{"stop a worker for long", 3, func(r *round) { r.stopFor("worker", r.between(5000, 8000)) }},
		{"kill the mold", 3, func(r *round) { r.strike("mold", unix.SIGKILL) }},
		{"stop the mold, continue it", 2, func(r *round) { r.stopFor("mold", r.between(200, 4000)) }},
		{"kill the gateway", 2, func(r *round) { r.strike("gateway", unix.SIGKILL) }},
		{"stop the gateway, continue it", 2, func(r *round) { r.stopFor("gateway", r.between(200, 3000)) }},
		{"freeze the master", 3, func(r *round) { r.freeze(r.between(300, 6000)) }},
		{"reload", 4, (*round).reload},
		{"reload another gateway", 3, (*round).reloadGateway},
		{"re-execute", 2, func(r *round) { r.command(unix.SIGUSR2) }},
		{"break the configuration", 2, func(r *round) { r.breakFor("broken configuration", r.config, "keepalive = 'often'\n") }},
		{"break the application", 2, func(r *round) { r.breakFor("broken application", r.app, "raise RuntimeError('broken')\n") }},
		{"a worker more", 2, func(r *round) { r.command(unix.SIGTTIN) }},
		{"a worker less", 2, func(r *round) { r.command(unix.SIGTTOU) }},
		{"fill the disk", 2, (*round).fill},
		{"hang in Python", 2, func(r *round) { r.deed("spin/8") }},
		{"hang in C", 1, func(r *round) { r.deed("native/8") }},
		{"leak", 3, func(r *round) { r.deed("leak/60") }},
		{"leave a process behind", 2, func(r *round) { r.deed("orphan/3") }},
		{"flood standard error", 1, func(r *round) { r.deed("flood/2000") }},
		{"exit", 2, func(r *round) { r.deed("leave/7") }},
		{"crash", 2, func(r *round) { r.deed("fault/0") }},
	}
}

// pick draws one by weight.
func pick(rng *rand.Rand, all []fault) fault {
	total := 0
	for _, f := range all {
		total += f.weight
	}
	n := rng.IntN(total)
	for _, f := range all {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	return all[len(all)-1]
}

func (r *round) between(low, high int) time.Duration {
	return time.Duration(low+r.rng.IntN(high-low)) * time.Millisecond
}

// aim takes one process of a role; false if there is none.
func (r *round) aim(of string) (victim, bool) {
	pids := children(r.service.pid, of)
	if len(pids) == 0 {
		return victim{}, false
	}
	v, err := aim(pids[r.rng.IntN(len(pids))])
	return v, err == nil
}

// hit sends a signal and books it.
func (r *round) hit(of string, v victim, sig unix.Signal) {
	b := blow{role: of, pid: v.pid, signal: unix.SignalName(sig), from: time.Now()}
	_ = v.send(sig) // ESRCH: it ended meanwhile
	b.to = time.Now()
	r.book.struck(b)
}

func (r *round) strike(of string, sig unix.Signal) {
	if v, there := r.aim(of); there {
		r.hit(of, v, sig)
		v.release()
	}
}

// stopFor stops a process, and continues it later if it is still there.
func (r *round) stopFor(of string, d time.Duration) {
	v, there := r.aim(of)
	if !there {
		return
	}
	r.hit(of, v, unix.SIGSTOP)
	r.later(d, func() {
		r.hit(of, v, unix.SIGCONT)
		v.release()
	})
}

// command sends the master a signal.
func (r *round) command(sig unix.Signal) {
	if sig == unix.SIGUSR2 || sig == unix.SIGHUP {
		r.replaces(20 * time.Second)
	}
	_ = unix.Kill(r.service.pid, sig) // our own child
}

// replaces notes that workers may be replaced for some time.
func (r *round) replaces(d time.Duration) { time.AfterFunc(d, r.book.begin("reload")) }

// freeze stops the master, once at a time.
func (r *round) freeze(d time.Duration) {
	if r.frozen.Swap(true) {
		return
	}
	_ = unix.Kill(r.service.pid, unix.SIGSTOP) // our own child
	r.later(d, func() {
		_ = unix.Kill(r.service.pid, unix.SIGCONT)
		r.frozen.Store(false)
	})
}

func (r *round) reload() { r.command(unix.SIGHUP) }

// reloadGateway reloads a configuration that takes another gateway.
func (r *round) reloadGateway() {
	if !r.broken.CompareAndSwap(false, true) {
		return // somebody else has the files
	}
	r.keepAlive = 60 + r.keepAlive%60 + 1
	r.must(replaceFile(r.config, r.configuration()))
	r.broken.Store(false)
	r.command(unix.SIGHUP)
}

// breakFor puts something broken in the place of a file, has it reloaded, and puts the
// file right again.
func (r *round) breakFor(what, path, text string) {
	if !r.broken.CompareAndSwap(false, true) {
		return
	}
	good, err := os.ReadFile(path)
	r.must(err)
	end := r.book.begin(what)
	r.must(replaceFile(path, text))
	r.command(unix.SIGHUP)
	r.later(r.between(1000, 4000), func() {
		r.must(replaceFile(path, string(good)))
		r.broken.Store(false)
		// A worker that was forked before may still be reading it.
		time.AfterFunc(time.Second, end)
	})
}

// fill leaves no room for uploads for a while.
func (r *round) fill() {
	if r.uploads == "" || r.full.Swap(true) {
		return
	}
	end := r.book.begin("disk full")
	path := filepath.Join(r.uploads, "filler")
	file, err := os.Create(path)
	r.must(err)
	if err == nil {
		block := make([]byte, 1<<20)
		for err == nil {
			_, err = file.Write(block) // until there is no room
		}
		_ = file.Close()
	}
	r.later(r.between(500, 2000), func() {
		r.must(os.Remove(path))
		end()
		r.full.Store(false)
	})
}

// deed sends a request that does something bad.
func (r *round) deed(path string) {
	r.deeds++
	c := r.client(path, 1000+r.deeds)
	r.busy.Go(c.one)
}

// must notes what the round itself cannot do.
func (r *round) must(err error) {
	if err != nil {
		r.book.enter(entry{kind: "keep", name: "chaos itself", outcome: wrong, detail: fmt.Sprint(err)})
	}
}
