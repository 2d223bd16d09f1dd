package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	workers = 3
	threads = 4
	// settling is how long the service may take to be as before: the longest pause of
	// a slot whose workers could not boot is 30 s.
	settling = 75 * time.Second
	// spare is how many descriptors a process may have more at the end: the runtime
	// opens some when first needed.
	spare = 6
)

// class is a worker class, and how it is run here.
type class struct {
	name  string
	app   string
	args  []string
	seats int // requests that one worker may hold; 0: any number
}

func classes() []class {
	thread := fmt.Sprint(threads)
	return []class{
		{"sync", "chaosapp:application", []string{"-k", "sync"}, 1},
		{"gthread", "chaosapp:application", []string{"-k", "gthread", "--threads", thread}, threads},
		{"gevent", "chaosapp:application", []string{"-k", "gevent"}, 0},
		{"eventlet", "chaosapp:application", []string{"-k", "eventlet"}, 0},
		{"asgi", "chaosapp:asgi", []string{"-k", "asgi"}, 0},
	}
}

// round is one service under load and faults.
type round struct {
	plan    *plan
	seed    uint64
	class   class
	args    []string // that the seed chose
	dir     string
	config  string // gunicorn.conf.py
	app     string // chaosapp.py
	uploads string // a small disk for uploads; "" without the right to mount one
	rng     *rand.Rand
	book    *book
	service *service

	keepAlive int
	wanted    *regexp.Regexp // faults
	deeds     int            // requests that do something bad, so far
	quiet     int            // clients outside the load, so far
	frozen    atomic.Bool    // the master is stopped
	broken    atomic.Bool    // configuration or application are
	full      atomic.Bool    // the disk for uploads is
	busy      sync.WaitGroup
}

// newRound makes what the round needs on disk.
func newRound(p *plan, seed uint64) (*round, error) {
	all := classes()
	r := &round{plan: p, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), book: newBook(), class: all[seed%uint64(len(all))], keepAlive: 60}
	if p.class != "" {
		i := slices.IndexFunc(all, func(c class) bool { return c.name == p.class })
		if i < 0 {
			return nil, fmt.Errorf("no such worker class: %q", p.class)
		}
		r.class = all[i]
	}
	for _, option := range [][]string{{"--preload"}, {"--max-requests", "300", "--max-requests-jitter", "100"}, {"--max-worker-age", "8"},
		{"--gateway-threads", "2"}, {"--request-timeout", "2"}} {
		if r.rng.IntN(2) == 0 {
			r.args = append(r.args, option...)
		}
	}
	var err error
	if r.wanted, err = regexp.Compile(p.only); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp("", "indrik-chaos-round-"); err != nil {
		return nil, err
	}
	r.config, r.app = filepath.Join(r.dir, "gunicorn.conf.py"), filepath.Join(r.dir, "chaosapp.py")
	text, err := os.ReadFile(p.app)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(r.app, string(text)); err != nil {
		return nil, err
	}
	r.uploads = filepath.Join(r.dir, "uploads")
	if err := os.Mkdir(r.uploads, 0o700); err != nil {
		return nil, err
	}
	if unix.Mount("chaos", r.uploads, "tmpfs", 0, "size=16m") != nil {
		r.uploads = "" // not root: that fault is left out
	}
	return r, replaceFile(r.config, r.configuration())
}

// configuration is the text of gunicorn.conf.py.
func (r *round) configuration() string {
	text := fmt.Sprintf("keepalive = %d\nmax_worker_memory = '150MiB'\nworker_memory_interval = 1\n", r.keepAlive)
	if r.uploads != "" {
		text += fmt.Sprintf("tmp_upload_dir = %q\n", r.uploads)
	}
	if !slices.Contains(r.args, "--request-timeout") {
		text += "request_timeout = 4\n"
	}
	return text
}

func (r *round) name() string { return strings.Join(append([]string{r.class.name}, r.args...), " ") }

// run plays the round and says what came of it.
func (r *round) run(ctx context.Context) *tally {
	t := newTally()
	mark := fmt.Sprintf("%d-%d", os.Getpid(), r.seed)
	cmd := exec.Command(r.plan.binary, slices.Concat([]string{
		"--bind", "127.0.0.1:0", "--python", r.plan.python, "--config", r.config,
		"--workers", fmt.Sprint(workers), "--timeout", "3", "--request-timeout-grace", "1", "--graceful-timeout", "12",
	}, r.class.args, r.args, []string{r.class.app})...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), markEnv+"="+mark, "CHAOS_NOTES="+r.notes(), "PYTHONDONTWRITEBYTECODE=1", "GORACE=atexit_sleep_ms=0")
	var err error
	if r.service, err = launch(cmd, mark, filepath.Join(r.dir, "log"), r.book); err != nil {
		t.complain("start: %v", err)
		return t
	}
	defer r.service.end()
	r.quietly(ctx, time.Second, "keep", "stream", "upload") // what is made at first use is made
	before := r.sizes()
	r.underFaults(ctx)
	r.busy.Wait()
	r.settle(t)
	r.compare(t, before)
	if err := r.service.stop(); err != nil {
		t.complain("stop: %v", err)
	}
	for _, line := range r.service.bad() {
		t.complain("its log has: %s", line)
	}
	j, err := newJudge(r.book, r.notes(), r.class.seats)
	if err != nil {
		t.complain("%v", err)
		return t
	}
	j.verdict(t)
	return t
}

func (r *round) notes() string { return filepath.Join(r.dir, "notes") }

// underFaults sends load and injects faults for the time of the round.
func (r *round) underFaults(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.plan.load)
	defer cancel()
	kinds := []string{"keep", "keep", "keep", "once", "once", "slow", "stream", "upload", "leaver"}
	if r.class.name == "asgi" {
		kinds = append(kinds, "websocket", "websocket")
	}
	for i, kind := range kinds {
		c := r.client(kind, i)
		r.busy.Go(func() { c.run(ctx) })
	}
	all := slices.DeleteFunc(faults(), func(f fault) bool { return !r.wanted.MatchString(f.name) })
	for len(all) > 0 {
		pause(ctx, r.between(50, 900))
		if ctx.Err() != nil {
			return
		}
		f := pick(r.rng, all)
		if r.plan.verbose {
			fmt.Fprintf(r.plan.out, "    %s %s\n", time.Now().Format("15:04:05.000"), f.name)
		}
		r.book.injected(f.name)
		f.inject(r)
	}
}

// client makes one with a seed of its own.
func (r *round) client(kind string, number int) *client {
	return &client{book: r.book, address: r.service.address, kind: kind, number: number,
		rng: rand.New(rand.NewPCG(r.seed, uint64(number)+1))}
}

// later does something after a time, at the latest when the round's load has ended.
func (r *round) later(d time.Duration, do func()) {
	r.busy.Go(func() {
		time.Sleep(d)
		do()
	})
}

// quietly sends load without faults.
func (r *round) quietly(ctx context.Context, d time.Duration, kinds ...string) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var clients sync.WaitGroup
	for _, kind := range kinds {
		r.quiet++
		c := r.client(kind, 100+r.quiet)
		clients.Go(func() { c.run(ctx) })
	}
	clients.Wait()
}

// settle waits until the service is what it was: a reload brings the configured number
// of workers back, and must succeed.
func (r *round) settle(t *tally) {
	limit := time.Now().Add(settling)
	whole := func() bool {
		return len(children(r.service.pid, "worker")) == workers && len(children(r.service.pid, "gateway")) == 1 &&
			len(children(r.service.pid, "mold")) == 1 && len(marked(r.service.mark)) == workers+3
	}
	asked := time.Time{}
	reloads := r.service.count("generation took over")
	for time.Now().Before(limit) {
		if r.service.count("generation took over") > reloads && whole() {
			r.quietly(context.Background(), time.Second, "keep", "once", "stream")
			return
		}
		if time.Since(asked) > 15*time.Second { // one that is under way swallows ours, and may be of what was broken
			asked = time.Now()
			r.signal(unix.SIGHUP)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.complain("it is not what it was within %v: workers %v, gateways %v, molds %v, all %v; reloads that took over: %d", settling,
		children(r.service.pid, "worker"), children(r.service.pid, "gateway"), children(r.service.pid, "mold"), marked(r.service.mark),
		r.service.count("generation took over")-reloads)
}

// signal sends the master a signal that is no fault.
func (r *round) signal(sig unix.Signal) { _ = unix.Kill(r.service.pid, sig) } // our own child

// sizes are those of master and gateway.
func (r *round) sizes() map[string]size {
	all := map[string]size{"master": sizeOf(r.service.pid)}
	if pids := children(r.service.pid, "gateway"); len(pids) > 0 {
		all["gateway"] = sizeOf(pids[0])
	}
	return all
}

// compare waits until master and gateway have no more than before the faults.
func (r *round) compare(t *tally, before map[string]size) {
	most := int64(48 << 20)
	if r.plan.racy {
		most = 512 << 20
	}
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now, grown := r.sizes(), []string(nil)
		for who, was := range before {
			if is := now[who]; is.descriptors > was.descriptors+spare || is.memory > was.memory+most {
				grown = append(grown, fmt.Sprintf("%s had %d descriptors and %d KiB, has %d and %d KiB",
					who, was.descriptors, was.memory>>10, is.descriptors, is.memory>>10))
			}
		}
		if len(grown) == 0 {
			return
		}
		if time.Now().After(limit) {
			t.complain("%s", strings.Join(grown, "; "))
			return
		}
	}
}

// keepLog copies the log to where it survives the round.
func (r *round) keepLog() string {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("indrik-chaos-%d.log", r.seed))
	from, err := os.Open(filepath.Join(r.dir, "log"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = from.Close() }() // was read
	to, err := os.Create(path)
	if err != nil {
		return err.Error()
	}
	if _, err := io.Copy(to, from); err != nil {
		return err.Error()
	}
	if err := to.Close(); err != nil {
		return err.Error()
	}
	return path
}

// clean removes what newRound made.
func (r *round) clean() {
	if r.uploads != "" {
		_ = unix.Unmount(r.uploads, unix.MNT_DETACH) // an empty disk in memory
	}
	_ = os.RemoveAll(r.dir) // in the temporary directory
}
