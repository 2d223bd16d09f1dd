package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway/static"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/websocket"
)

// orphanTime is how long a gateway whose master is gone may go on to finish
// what it holds.
const orphanTime = 30 * time.Second

// heapBallast is how much garbage, in bytes, may collect besides what is in use.
const heapBallast = 16 << 20

// Process is what a gateway takes from the process it runs in.
type Process struct {
	ChannelFD int      // to the master; owned by Run from then on
	Stdout    *os.File // for an access log of "-"
	Log       hclog.Logger
	Reopen    func() error    // begins the file of Log anew; nil if there is none
	Counts    *logsink.Counts // of Log; nil if nobody counts
}

// gateway is owned by the goroutine of Run, which carries out the master's
// orders. The fields
// that loops and exchanges read do not change after the configure order, but
// for connections and draining.
type gateway struct {
	config     Config
	log        hclog.Logger
	stdout     *os.File
	channel    *dispatch.Channel
	board      *dispatch.Scoreboard         // the rows of the loops
	counters   *dispatch.Counters           // a block for each loop, and the last for all goroutines; nil in tests of parts
	figures    *Figures                     // that last block
	boards     map[int]*dispatch.Scoreboard // by generation: the rows of its seats
	ledger     *ledger                      // nil if nothing is noted
	reopenLog  func() error
	counts     *logsink.Counts
	marks      marks
	refused    refusals     // by fault of the client, or for want of room
	failed     refusals     // by ours, or the application's
	site       *static.Site // nil without static files
	forwarding forwarding
	loops      []*loop
	running    sync.WaitGroup

	secrets     *secrets // nil without TLS
	residents   residents
	course      atomic.Pointer[course] // the loops' own follows it
	listeners   []*listener
	connections atomic.Int64
	deflate     websocket.Pool // of all conversations
	talking     conversations
	draining    atomic.Bool
	parting     atomic.Int64 // draining: CLOCK_MONOTONIC ns until when idle connections stay
	spooled     *budget
	memory      *budget   // of finished responses that came in memory
	buffers     sync.Pool // of holdChunk bytes each
	kits        kits
	drained     chan struct{} // closed when the last loop has ended

	room      int64                    // connections that there are descriptors for
	successor atomic.Pointer[handover] // nil if this one hands nothing over
	halting   chan struct{}            // closed when nothing more is to be handed over
}

// Run serves until the master orders a drain, goes away, or ctx ends, and what
// was held then is finished. It returns nil after a clean drain. It must be
// called once in a process.
func Run(ctx context.Context, p Process) error {
	// Started from /proc/self/exe it would be called exe in ps(1). That it keeps
	// that name where /proc is read-only hurts nobody.
	_ = os.WriteFile("/proc/self/comm", []byte("indrik-gateway"), 0)
	channel, err := dispatch.NewChannel(p.ChannelFD, "master")
	if err != nil {
		return fmt.Errorf("open the channel to the master: %w", err)
	}
	g := &gateway{log: p.Log.Named("gateway"), stdout: p.Stdout, channel: channel, reopenLog: p.Reopen, counts: p.Counts, drained: make(chan struct{}), halting: make(chan struct{})}
	received := make(chan received)
	go g.receive(received)
	// The collector runs when the heap has doubled. What the gateway holds is small, so
	// that it would run for every few megabytes of garbage, many times in a second. This
	// is never touched and so takes no memory, but counts.
	ballast := make([]byte, heapBallast)
	defer runtime.KeepAlive(ballast)
	stop := ctx.Done()
	var limit <-chan time.Time
	for {
		select {
		case m := <-received:
			if errors.Is(m.err, io.EOF) { // the master is gone
				limit = time.After(orphanTime)
				g.drain(0, 0, -1)
				g.searchAlone()
				continue
			}
			if err := g.obey(m); err != nil {
				_ = channel.Send(dispatch.Tuple{FactFailed, err.Error()}) // the exit status says it too
				return err
			}
		case <-stop:
			stop = nil // heard once
			g.drain(0, 0, -1)
		case <-limit:
			return errors.New("the master is gone and requests did not end")
		case <-g.drained:
			g.ledger.close()
			_ = channel.Send(dispatch.Tuple{FactDrained}) // the master may be gone
			return nil
		}
	}
}

// received is one message from the master, or the error that ends them.
type received struct {
	msg dispatch.Tuple
	fds []int
	err error
}

func (g *gateway) receive(to chan<- received) {
	for {
		msg, fds, err := g.channel.Receive()
		to <- received{msg, fds, err}
		if err != nil {
			return
		}
	}
}

// obey carries out one order.
func (g *gateway) obey(m received) error {
	if m.err != nil {
		return fmt.Errorf("read an order: %w", m.err)
	}
	o, fds := &order{msg: m.msg}, m.fds
	verb := o.verb()
	if verb != "configure" && g.loops == nil {
		return fmt.Errorf("%w: %q before configure", errOrder, verb)
	}
	switch verb {
	case "configure":
		return g.configure(o, fds)
	case "listen":
		return g.listen(o, fds)
	case "board":
		return g.openBoard(o, fds)
	case "forget":
		return g.forget(o)
	case "lane":
		return g.useLane(o, fds)
	case "join":
		return g.join(o, fds)
	case "release":
		return g.release(o)
	case "leave":
		return g.leave(o)
	case "serve":
		return g.serve()
	case "probe":
		return g.probe(o)
	case "held":
		return g.held(o)
	case "requests":
		return g.requests(o)
	case "log-level":
		return g.changeLevel(o)
	case "reopen":
		g.reopen()
		return nil
	case "drain":
		return g.leaveOff(o, fds)
	case "receive":
		if len(fds) != 1 {
			return fmt.Errorf("%w: receive", errOrder)
		}
		g.takeOver(fds[0])
		return nil
	}
	return fmt.Errorf("%w: %q", errOrder, verb)
}

func (g *gateway) configure(o *order, fds []int) error {
	text := item[[]byte](o, 1)
	if o.bad || len(fds) != 2 || g.loops != nil {
		return fmt.Errorf("%w: configure", errOrder)
	}
	var c Config
	err := json.Unmarshal(text, &c)
	if err == nil {
		g.config, err = c.withDefaults()
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	files := openFiles()
	g.config, g.room = g.config.withRoom(files), int64(roomFor(files))
	if g.forwarding, err = g.config.Proxies.forwarding(); err != nil {
		return err
	}
	g.spooled = newBudget(g.config.SpoolLimit, g.config.spoolDir())
	g.memory = fixedBudget(g.config.ResponseMemory)
	if err := g.marks.configure(g.config); err != nil {
		return err
	}
	g.refused.log, g.refused.level = g.log, hclog.Info
	g.failed.log, g.failed.level = g.log, hclog.Error
	if g.board, err = dispatch.OpenScoreboard(fds[0]); err != nil {
		return fmt.Errorf("open the scoreboard: %w", err)
	}
	if g.counters, err = dispatch.OpenCounters(fds[1]); err != nil {
		return fmt.Errorf("open the counters: %w", err)
	}
	if g.counters.Words() < figureWords || g.counters.Blocks() != g.config.Loops+1 {
		return fmt.Errorf("%w: configure: counters of %d blocks", errOrder, g.counters.Blocks())
	}
	g.figures = figures(g.counters, g.config.Loops)
	if err := g.openLedger(); err != nil {
		return err
	}
	if err := g.openSite(); err != nil {
		return err
	}
	if g.secrets, err = g.openSecrets(); err != nil {
		return err
	}
	g.course.Store(&course{})
	for id := range g.config.Loops {
		l, err := newLoop(g, id)
		if err != nil {
			return err
		}
		g.loops = append(g.loops, l)
	}
	for _, l := range g.loops {
		g.running.Go(l.run)
	}
	if g.secrets != nil {
		go g.watchCertificates()
	}
	return nil
}

func (g *gateway) listen(o *order, fds []int) error {
	name, owned := item[string](o, 1), item[bool](o, 2)
	if o.bad || len(fds) != 1 {
		return fmt.Errorf("%w: listen", errOrder)
	}
	ln, err := newListener(fds[0], name, owned, g.config)
	if err != nil {
		return fmt.Errorf("take over listener %q: %w", name, err)
	}
	ln.proxy, ln.uwsgi = g.forwarding.proxy, g.forwarding.uwsgi && ln.scheme == "http"
	g.listeners = append(g.listeners, ln)
	return nil
}

func (g *gateway) useLane(o *order, fds []int) error {
	c := course{generation: o.number(1), asgi: item[string](o, 2) == "asgi", seats: o.number(3), shared: len(fds) == 2}
	if o.bad || len(fds) != 0 && len(fds) != 2 {
		return fmt.Errorf("%w: lane", errOrder)
	}
	before := g.course.Swap(&c)
	var both *ends
	if c.shared {
		both = newEnds(fds[0], fds[1], len(g.loops))
	}
	moved := g.afterAll(func() { g.tellMoved(before.generation, c.generation) })
	for _, l := range g.loops {
		ln := both.lane(c.generation, c.seats, nil)
		if !l.post(func(l *loop) { l.useLane(c, ln); moved() }) {
			moved() // that loop has drained
		}
	}
	return nil
}

func (g *gateway) join(o *order, fds []int) error {
	slot, pid, generation := o.number(1), o.number(2), o.number(3)
	loops := len(g.loops)
	if o.bad || len(fds) != loops && len(fds) != loops+2 {
		return fmt.Errorf("%w: join", errOrder)
	}
	var own *ends
	if len(fds) > loops {
		own = newEnds(fds[loops], fds[loops+1], loops)
	}
	for i, l := range g.loops {
		_ = unix.SetNonblock(fds[i], true) // recvmmsg does not wait anyhow
		w := &worker{slot: slot, pid: pid, generation: generation, fd: fds[i]}
		w.own = own.lane(generation, 0, w)
		l.post(func(l *loop) { l.join(w) })
	}
	return nil
}

func (g *gateway) release(o *order) error {
	pid := o.number(2)
	if o.bad {
		return fmt.Errorf("%w: release", errOrder)
	}
	for _, l := range g.loops {
		l.post(func(l *loop) { l.releaseWorker(pid) })
	}
	return nil
}

func (g *gateway) leave(o *order) error {
	pid, cause := o.number(2), item[string](o, 3)
	list := item[dispatch.List](o, 4)
	if o.bad {
		return fmt.Errorf("%w: leave", errOrder)
	}
	why := errWorkerDied
	if cause == CauseTimeout {
		why = errWorkerLate
	}
	held := make([][]uint64, len(g.loops))
	for _, v := range list {
		id, _ := v.(int64)
		if loop := int(uint64(id) >> loopShift); loop < len(held) {
			held[loop] = append(held[loop], uint64(id))
		}
	}
	c := g.newCasualties(pid)
	for i, l := range g.loops {
		if !l.post(func(l *loop) { l.leave(pid, why, held[i], c) }) {
			c.done(i) // that loop has drained: it holds nothing
		}
	}
	return nil
}

// serve lets the first loop accept, for all of them.
func (g *gateway) serve() error {
	accepting := make(chan struct{})
	if !g.loops[0].post(func(l *loop) { l.acceptFrom(g.listeners); close(accepting) }) {
		return nil // drained meanwhile
	}
	<-accepting
	return g.channel.Send(dispatch.Tuple{FactServing})
}

// searchAlone makes the loops look for lost requests until they end: there is
// nobody left to tell them of a worker's death.
func (g *gateway) searchAlone() {
	for _, l := range g.loops {
		l.post(func(l *loop) { l.alone, l.searchUntil = true, math.MaxInt64 })
	}
}
