package master

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/settings"
)

// Config is everything the master takes from its process. Nothing in it is
// changed; the files are lent until Run returns.
type Config struct {
	App      string // MODULE[:APP]; "" leaves it to the setting wsgi_app
	Settings *settings.Values
	Script   Script   // decides Settings if it is not the zero Script
	Env      []string // the environment, as os.Environ has it
	PID      int      // of this process, to which systemd addresses its variables
	// Executable and Args are how this process was started; Executable is
	// what the gateway's process is called.
	Executable     string
	Args           []string
	Stdout, Stderr *os.File
	Version        string
	Log            hclog.Logger
	// Signals brings HUP, INT, QUIT, TERM, USR1, USR2, TTIN, TTOU and WINCH.
	Signals <-chan os.Signal
}

// master is the state of the service. It belongs to the goroutine that called
// Run; see facts.go for how the others tell it things.
type master struct {
	cfg   Config
	env   activation.Env
	log   hclog.Logger
	facts *mailbox

	sockets  []activation.Socket
	notifier *activation.Notifier
	watchdog time.Duration // systemd's interval; 0: it does not watch
	pidFile  pidFile
	board    *dispatch.Scoreboard
	loops    int          // of the gateway
	wanted   int          // workers
	tls      *gateway.TLS // nil for none
	static   gateway.Static

	gate  gate
	gen   *generation
	hooks []string // that the configuration file defines
	early *child   // the mold that ran the configuration file, until a generation takes it

	stage    stage
	began    time.Time
	asked    time.Time // stopping: when a signal asked for it
	deadline time.Time // stopping: when patience ends
	drained  bool      // stopping: the gateway holds nothing any more
	quickly  bool      // stopping: everything was killed
	outcome  error     // what Run returns

	voice
	pulse
}

// Run serves until it is told to stop by a signal or by ctx, whose end means
// the same as SIGTERM. It returns nil after a stop that was asked for, and
// otherwise the reason: [ErrLoad] and [ErrBoot] name the application's faults,
// [ErrConfig] that of a configuration file in Python, anything else is about configuration, sockets or this machine.
//
// Run may be called once in a process: it makes the process a child subreaper
// and changes its working directory if --chdir says so.
func Run(ctx context.Context, cfg Config) error {
	m := newMaster(cfg)
	defer m.release()
	err := m.readScript(ctx)
	if err == nil && (m.cfg.Settings.CheckConfig() || m.cfg.Settings.PrintConfig()) {
		return m.check(ctx)
	}
	if err == nil {
		err = m.prepare(ctx)
	}
	if err != nil {
		m.tellFailure(err)
		return err
	}
	return m.run(ctx)
}

// run is the loop.
func (m *master) run(ctx context.Context) error {
	stop := ctx.Done()
	tick := time.NewTicker(m.period())
	defer tick.Stop()
	m.launch()
	for !m.gone() {
		select {
		case <-stop:
			stop = nil // heard once; a nil channel never fires again
			m.stop(context.Cause(ctx).Error())
		case sig := <-m.cfg.Signals:
			m.signalled(sig)
		case <-m.facts.wake:
			for _, f := range m.facts.take() {
				m.heard(f)
			}
		case <-tick.C:
			m.ticked(time.Now())
		}
		m.settle()
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
		switch f.child {
		case m.gate.child:
			m.gatewaySaid(f.msg)
		case m.gen.mold.child:
			m.moldSaid(m.gen, f.msg)
		}
	case childHungUp:
		m.childHungUp(f)
	case childEnded:
		switch f.child {
		case m.gate.child:
			m.gatewayEnded(f.exit)
		case m.gen.mold.child:
			m.moldEnded(m.gen, f.exit)
		}
	case workerSaid:
		m.workerSaid(f.worker, f.msg)
	case workerHungUp:
		m.workerHungUp(f.worker)
	case spawnWanted:
		f.gen.want(f.slot)
	case slotMoved:
		m.slotMoved(f.gen, f.change)
	case strayEnded:
		f.gen.strays--
	case poolEnded:
		m.poolEnded(f.gen, f.err)
	}
}

// ticked does what depends on time alone.
func (m *master) ticked(now time.Time) {
	m.notice(now)
	m.restart(now)
	for _, w := range m.gen.workers {
		m.gen.adopt(w)
	}
	m.judgeMold(m.gen, now)
	m.judgeGateway(now)
	m.judgeStop(now)
	m.ping(now)
	m.extend(now)
	m.sweep()
}

// settle does what has become possible by what was heard: it is derived from
// the state and not from the event, so that no order of events is missed.
func (m *master) settle() {
	if m.stage == stopping {
		m.leaveInOrder()
	} else {
		m.gen.spawn(time.Now(), m.loops)
		m.serve()
	}
	m.speak()
}

// serve lets the gateway accept once a worker is ready, and says READY=1 once
// it does. A gateway that replaces a dead one accepts at once: its clients wait
// for the next worker in its queue.
func (m *master) serve() {
	ready := m.count().ready
	if m.gate.child == nil || ready == 0 && m.stage == booting {
		return
	}
	if !m.gate.ordered {
		m.gate.ordered = true
		m.order(gateway.ServeOrder())
	}
	if m.gate.serving && m.stage == booting {
		m.stage = serving
		m.tellReady()
		m.callHook("when_ready", "when_ready")
		m.log.Info("serving", "gen", m.gen.number, "ready", ready, "workers", m.wanted,
			"after", time.Since(m.began).Round(time.Millisecond))
	}
}

// app is the application to serve.
func (m *master) app() string {
	if paste := m.cfg.Settings.Paste(); paste != "" {
		return paste
	}
	if m.cfg.App != "" {
		return m.cfg.App
	}
	return m.cfg.Settings.WSGIApp()
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

// childHungUp hears that a child will say no more. Normally it has ended, and
// that is a fact of its own; a child that closed its channel and lives on is of
// no use.
func (m *master) childHungUp(f childHungUp) {
	if f.child.closed || errors.Is(f.err, os.ErrClosed) {
		return
	}
	f.child.hangUp()
	if m.stage != stopping {
		f.child.kill() // does nothing to one that ended
	}
}
