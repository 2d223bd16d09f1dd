package master

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/internal/mailbox"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/metrics"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// Config is everything the master takes from its process. Nothing in it is
// changed; the files are lent until Run returns.
type Config struct {
	App      string // MODULE[:APP]; "" leaves it to the setting wsgi_app
	Settings *settings.Values
	Script   Script // decides Settings if it is not the zero Script
	// Read reads the configuration once more, for a reload. It is called on the
	// goroutine of Run and must not wait. Nil: a reload is refused.
	Read func() (Reading, error)
	// InForce is told the settings when a reload has put them in force. May be nil.
	InForce func(*settings.Values)
	Env     []string // the environment, as os.Environ has it
	PID     int      // of this process, to which systemd addresses its variables
	// Executable and Args are how this process was started; Executable is
	// what the gateway's process is called.
	Executable     string
	Args           []string
	Stdout, Stderr *os.File
	Version        string
	Development    bool // `indrik dev`: clients are shown the tracebacks of their requests
	Log            hclog.Logger
	Logs           Logs            // where Log writes; nil if that is settled
	Counts         *logsink.Counts // of its lines; nil if nobody counts
	// Signals brings HUP, INT, QUIT, TERM, USR1, USR2, TTIN, TTOU and WINCH.
	Signals <-chan os.Signal

	// Path is where this binary was started from, absolute; what is there at a reload
	// is executed. Empty: the binary is not exchanged.
	Path string
	// Keep are descriptors that Args name, which a program with the same Args needs.
	Keep []int
	// HoldSignals prepares for an exec: what arrives from then on waits for the next
	// image, as far as that is possible, and Signals has what came before. It returns
	// what undoes that. Nil if there are no signals.
	HoldSignals func() (resume func())
	// Resume is the service that this image is to go on with; nil to start one.
	Resume *Resume
}

// Reading is what one more look at the configuration found.
type Reading struct {
	Settings *settings.Values // nil if Script decides
	Script   Script
}

// master is the state of the service. It belongs to the goroutine that called
// Run; see facts.go for how the others tell it things.
type master struct {
	cfg   Config
	env   activation.Env
	log   hclog.Logger
	facts *mailbox.Box[fact]

	home    string              // working directory at the start
	path    string              // of the binary, as it was started; "" if nobody knows
	self    int                 // O_PATH descriptor of the binary that runs; -1 before it is opened
	passed  []activation.Socket // by systemd
	stored  desk.Stored         // from its descriptor store, until they are wanted or dropped
	sockets []activation.Socket // that we hold, but for those of a plan that is not in force

	plan   *plan       // in force
	gen    *generation // that serves, or is to
	kept   *generation // that served before and may again; nil for none
	reload reload
	epoch  uint8  // of the last gateway that was started
	last   int    // number of the last generation that was made
	early  *child // the mold that runs a configuration file, until a generation takes it

	stage    stage
	began    time.Time
	asked    time.Time // when a signal asked for the stop
	farewell desk.Farewell
	deadline time.Time // stopping: when patience ends
	quickly  bool      // stopping: everything was killed
	outcome  error     // what Run returns
	parting  string    // stopping: why, if nobody asked for it and nothing failed
	lost     error     // the service was taken apart for an exec and cannot be put together again

	reloads   desk.Reloads
	chronicle desk.Chronicle
	levels    desk.Levels

	parts *parts.Parts
	idleness
	standstill
	still      time.Duration // for how long the service has stood still
	numbers    numbers
	scales     desk.Scales
	oom        *cgroup.OOMKills
	tolls      tolls
	obituaries obituaries
	admin      desk.Admin
	lobby      desk.Lobby
	exposition exposition
	history    metrics.History
	voice      desk.Voice
	alarm      alarm
	compiled
	prompt prompt
	pulse
}

// Run serves until it is told to stop by a signal or by ctx, whose end means
// the same as SIGTERM. It returns nil after a stop that was asked for, and
// otherwise the reason: [ErrLoad] and [ErrBoot] name the application's faults,
// [ErrConfig] that of a configuration file in Python, anything else is about configuration, sockets or this machine.
//
// With Resume it goes on with a service that runs. If Run returns an error then and
// [Resume.Taken] is false, the service is as it was, for [Resume.Return].
//
// Run may be called once in a process: it makes the process a child subreaper
// and changes its working directory if --chdir says so.
func Run(ctx context.Context, cfg Config) error {
	m := newMaster(cfg)
	if err := m.openSelf(); err != nil {
		return err
	}
	if cfg.Resume != nil {
		if err := m.resume(cfg.Resume); err != nil {
			return err // nothing was taken, so there is nothing to give back
		}
		defer m.release()
		m.prompt.on = true // perhaps; if it is not to be, that is set right with the first look
		return m.run(ctx)
	}
	defer m.release()
	if serving, err := m.start(ctx); !serving {
		return err
	}
	return m.run(ctx)
}

// run is the loop.
func (m *master) run(ctx context.Context) error {
	stop := ctx.Done()
	tick := time.NewTicker(m.period())
	defer tick.Stop()
	defer m.obituaries.publishAll() // of those who died in the last moment
	m.lastTick = time.Now()         // so that a stop before the first tick is noticed too
	for !m.gone() {
		select {
		case <-stop:
			stop = nil // heard once; a nil channel never fires again
			m.askStop(context.Cause(ctx).Error())
		case sig := <-m.cfg.Signals:
			m.signalled(sig)
		case <-m.facts.Wake():
			for _, f := range m.facts.Take() {
				m.heard(f)
			}
		case <-tick.C:
			m.ticked(time.Now())
		}
		if m.settle(); m.lost != nil {
			return m.lost
		}
	}
	if m.outcome == nil {
		m.log.Info("stopped", "after", time.Since(m.began).Round(time.Millisecond))
	}
	return m.outcome
}

// heard gives one fact to the method that hears it. A fact about a child that
// was replaced meanwhile is of no interest.
func (m *master) heard(f fact) {
	switch f := f.(type) {
	case childSaid:
		m.childSaid(f.child, f.msg)
	case codeCompiled:
		m.keepCompiled(f)
	case childHungUp:
		m.childHungUp(f)
	case childEnded:
		m.childEnded(f.child, f.exit)
	case workerSaid:
		m.workerSaid(f.worker, f.msg)
	case stacksOffered:
		m.offerStacks(f)
	case stacksTaken:
		m.tookStacks(f)
	case questionAsked:
		f.answer()
	case workerHungUp:
		m.workerHungUp(f.worker)
	case spawnWanted:
		f.gen.want(f.slot)
	case slotMoved:
		m.slotMoved(f.gen, f.change)
	case strayEnded:
		f.gen.strays--
	case workersWeighed:
		m.workersWeighed(f)
	case poolEnded:
		m.poolEnded(f.gen, f.err)
	}
}

// ticked does what depends on time alone.
func (m *master) ticked(now time.Time) {
	m.notice(now)
	m.restart(now)
	for _, g := range m.generations() {
		for _, w := range g.workers {
			g.adopt(w)
		}
		m.judgeMold(g, now)
	}
	m.judgeGateway(now)
	m.judgeReload(now)
	m.tendKept(now)
	m.judgeFarewell(now)
	m.judgeStop(now)
	m.probeGateway(now)
	m.watchFlow(now)
	m.ping(now)
	m.extend(now)
	m.scale(now)
	m.judgeIdle(now)
	m.parts.Tidy(now)
	m.measure(now)
	m.remind()
	m.weigh(now)
	m.oom.Refresh(now)
	m.sample(now)
	m.sweep()
}

// settle does what has become possible by what was heard: it is derived from
// the state and not from the event, so that no order of events is missed.
func (m *master) settle() {
	if m.stage == stopping {
		m.leaveInOrder()
	} else {
		m.serve()
		m.proceed()
		m.buryKept()
		for _, g := range m.generations() {
			if m.reload.step != quieting {
				g.spawn(time.Now())
			}
		}
	}
	m.setPolicies()
	m.tellLevels()
	m.speak()
}

// serve lets the gateway accept once a worker is ready, and says READY=1 once
// it does. A gateway that replaces a dead one accepts at once: its clients wait
// for the next worker in its queue.
func (m *master) serve() {
	g := m.gen
	ready := g.count().ready
	if ready == 0 && m.stage == booting {
		return
	}
	m.letServe(g.gate)
	if g.gate.serving && m.stage == booting {
		m.stage = serving
		m.tellReady()
		m.chronicle.Note(control.Event{What: "serving", Generation: g.number})
		m.callHook(g, "when_ready", "when_ready")
		m.log.Info("serving", "gen", g.number, "ready", ready, "workers", g.wanted,
			"after", time.Since(m.began).Round(time.Millisecond))
	}
}

// letServe orders a gateway to accept, once.
func (m *master) letServe(gt *gate) {
	if gt.child != nil && !gt.ordered {
		gt.ordered = true
		m.order(gt, gateway.ServeOrder())
	}
}

// lookup makes an Env of an environment. Of several entries with one name the
// first counts, as for os.Getenv.
func lookup(environ []string) activation.Env {
	values := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if _, there := values[name]; ok && !there {
			values[name] = value
		}
	}
	return func(key string) string { return values[key] }
}

// generations are all that have processes or may have: the one that serves, and
// during a reload the one that is to come or the one that leaves, and the one that
// is kept.
func (m *master) generations() (all []*generation) {
	for _, g := range []*generation{m.gen, m.reload.next, m.reload.prior, m.kept} {
		if g != nil {
			all = append(all, g)
		}
	}
	return all
}

// gates are those of all generations.
func (m *master) gates() (all []*gate) {
	for _, g := range m.generations() {
		if !slices.Contains(all, g.gate) {
			all = append(all, g.gate)
		}
	}
	return all
}

// whose returns the gateway that a child is, or the generation whose mold it is.
// It returns neither for the mold that runs a configuration file (m.early), and for
// a child that was replaced.
func (m *master) whose(c *child) (*gate, *generation) {
	for _, gt := range m.gates() {
		if gt.child == c {
			return gt, nil
		}
	}
	for _, g := range m.generations() {
		if g.mold.child == c {
			return nil, g
		}
	}
	return nil, nil
}

func (m *master) childSaid(c *child, msg dispatch.Tuple) {
	switch gt, g := m.whose(c); {
	case c == m.early:
		m.scriptSaid(msg)
	case c == m.reload.trial:
		m.trialSaid(msg)
	case gt != nil:
		m.gatewaySaid(gt, msg)
	case g != nil:
		m.moldSaid(g, msg)
	}
}

func (m *master) childEnded(c *child, exit pool.Exit) {
	switch gt, g := m.whose(c); {
	case c == m.early:
		m.scriptEnded(exit)
	case c == m.reload.trial:
		m.trialEnded(exit)
	case gt != nil:
		m.gatewayEnded(gt, exit)
	case g != nil:
		m.moldEnded(g, exit)
	}
}

// childHungUp hears that a child will say no more. Normally it has ended, and
// that is a fact of its own; a child that closed its channel and lives on is of
// no use.
func (m *master) childHungUp(f childHungUp) {
	if f.child.closed || errors.Is(f.err, os.ErrClosed) {
		return
	}
	f.child.hangUp()
	if m.stage != stopping && f.child != m.reload.trial { // which has answered and is ending
		f.child.kill() // does nothing to one that ended
	}
}
