package master

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// gatewayEnv marks a process that was started as a gateway.
const gatewayEnv = "INDRIK_GATEWAY=1"

// gatewaySilence is how long every loop of the gateway may be silent before it
// is replaced, where no watchdog of systemd restarts the whole service instead.
const gatewaySilence = 10 * time.Second

// gate is the master's side of a gateway. It is made from a plan and outlives the
// processes that are started for it one after the other.
type gate struct {
	plan   *plan                // its configuration
	board  *dispatch.Scoreboard // the rows of its loops
	counts *dispatch.Counters   // what it and those before it counted: gateway.Figures
	serves *generation          // where its requests go

	foreign bool // it may have been started by another image: the next reload brings another
	child   *child
	ordered bool // it was told to serve
	serving bool // it does
	drained bool // it holds nothing any more, and will not
	probe   probe
	survey  survey      // of the requests in hand
	level   hclog.Level // that it was told to log; NoLevel: nothing yet
	strange bool        // it is of another version, and may not know every order
	reason  string
	budget  budget
	retryAt time.Time // when to start the next; zero if one runs
}

// newGate makes the scoreboard of a gateway that is not started yet.
func newGate(p *plan) (*gate, error) {
	board, err := dispatch.NewScoreboard(p.loops(), 1, 1)
	if err != nil {
		return nil, fmt.Errorf("make the scoreboard of the gateway: %w", err)
	}
	counts, err := gateway.NewFigures(p.loops())
	if err != nil {
		_ = board.Close() // shared memory; nothing to flush
		return nil, fmt.Errorf("make the counters of the gateway: %w", err)
	}
	return &gate{plan: p, board: board, counts: counts}, nil
}

// close gives back what it has of the kernel, once its process is gone.
func (gt *gate) close() {
	_ = gt.board.Close() // shared memory; nothing to flush
	_ = gt.counts.Close()
}

// startGateway starts a gateway and tells it all there is to know: listeners,
// lane, and the workers that are ready.
func (m *master) startGateway(gt *gate) error {
	c, err := startChild(program{
		name: "gateway",
		// Not the path: the file there may be another version by now.
		path:   "/proc/self/exe",
		argv:   append([]string{m.cfg.Executable, "gateway"}, gt.plan.logs.arguments...),
		env:    append(activation.Unset(m.cfg.Env), gatewayEnv),
		dir:    gt.plan.dir,
		stdout: m.cfg.Stdout, stderr: m.cfg.Stderr,
		batch: gt.plan.settings.Scheduling() == "batch",
	}, m.post)
	if err != nil {
		return err
	}
	m.epoch++
	*gt = gate{plan: gt.plan, board: gt.board, counts: gt.counts, serves: gt.serves, child: c, budget: gt.budget}
	m.parts.Place(parts.Gateway(c.pid), c.pid)
	m.log.Debug("gateway started", "pid", c.pid, "epoch", m.epoch)
	return m.brief(gt)
}

// brief gives a new gateway its first orders.
func (m *master) brief(gt *gate) error {
	config := gt.plan.gateway
	config.Epoch = m.epoch
	configure, err := gateway.ConfigureOrder(config)
	if err != nil {
		return err
	}
	if err := gt.child.order(configure, gt.board.FD(), gt.counts.FD()); err != nil {
		return err
	}
	for _, s := range gt.plan.sockets {
		if err := gt.child.order(gateway.ListenOrder(s.Name, s.Owned), s.FD); err != nil {
			return err
		}
	}
	all := slices.DeleteFunc(m.generations(), func(g *generation) bool { return g.gate != gt })
	for _, g := range all {
		if m.unknown(g); !g.parked {
			m.showBoard(g)
		} else if !g.leaving {
			m.silence(g) // what it held ended with the gateway before
		}
	}
	m.tellCourse(gt.serves)
	for _, g := range all {
		for _, w := range g.workers {
			if w.canJoin() {
				m.join(w)
			}
		}
	}
	return nil
}

// showBoard tells the gateway of a generation where its workers write what they do.
func (m *master) showBoard(g *generation) {
	g.shown = true
	m.order(g.gate, gateway.BoardOrder(g.number), g.board.FD())
}

// forget is the opposite.
func (m *master) forget(g *generation) {
	if g.shown {
		g.shown = false
		m.order(g.gate, gateway.ForgetOrder(g.number))
	}
}

// gatewayConfig is what a gateway is told of the settings.
func (m *master) gatewayConfig(s *settings.Values, static gateway.Static, tls *gateway.TLS) gateway.Config {
	keepAlive := s.KeepAlive()
	if keepAlive == 0 {
		keepAlive = -1 // the gateway's word for "close after each response"
	}
	return gateway.Config{
		Loops:        loops(s.GatewayThreads()),
		RootPath:     s.RootPath(),
		Software:     "indrik/" + m.cfg.Version,
		AccessLog:    s.AccessLog(),
		AccessFormat: s.AccessLogFormat(),
		AccessBuffer: s.AccessLogBuffer(),
		KeepAlive:    keepAlive,

		Patience:     s.ClientTimeout(),
		Connections:  s.MaxConnections(),
		Queue:        s.QueueSize(),
		QueueTimeout: s.QueueTimeout(),
		LineLimit:    s.LimitRequestLine(),
		Fields:       s.LimitRequestFields(),
		FieldLimit:   s.LimitRequestFieldSize(),
		Permit:       permissions(s),
		BodyLimit:    int64(s.LimitRequestBody()),
		SpoolDir:     s.TmpUploadDir(),
		Static:       static,
		CopyFiles:    !s.Sendfile(),

		TLS:              tls,
		HTTP2:            http2(s),
		HeadLimit:        s.LimitRequestHead(),
		Proxies:          proxies(s),
		RequestBuffering: s.RequestBuffering(),
		MinBodyRate:      int64(s.MinBodyRate()),

		WebSocket: gateway.WebSocketConfig{
			MaxSize:      int64(s.WSMaxSize()),
			PingInterval: s.WSPingInterval(),
			PingTimeout:  s.WSPingTimeout(),
			Deflate:      s.WSPerMessageDeflate(),
		},
		SpoolLimit:        int64(s.SpoolLimit()),
		ResponseBuffering: int64(max(s.ResponseBuffering(), 1)), // 0 would mean the default
		ResponseMemory:    int64(max(s.ResponseMemory(), 1)),

		RequestID:       s.RequestID(),
		RequestIDHeader: s.RequestIDHeader(),
		RequestStart:    s.RequestStart(),
	}
}

// permissions are Gunicorn's switches for clients that speak broken HTTP.
func permissions(s *settings.Values) gateway.Permissions {
	return gateway.Permissions{
		SpaceBeforeColon:      s.StripHeaderSpaces(),
		ObsoleteFolding:       s.PermitObsoleteFolding(),
		UnconventionalMethod:  s.PermitUnconventionalHTTPMethod(),
		UnconventionalVersion: s.PermitUnconventionalHTTPVersion(),
		CasefoldMethod:        s.CasefoldHTTPMethod(),
	}
}

// canJoin reports that the gateway may count on the worker.
func (w *worker) canJoin() bool {
	if w.released || w.gen.parked {
		return false // the gateway has nothing to do with it any more
	}
	return w.phase == pool.Idle || w.phase == pool.Busy || w.phase == pool.Draining && w.ready
}

// join tells the gateway that a worker is ready, once.
func (m *master) join(w *worker) {
	gt := w.gen.gate
	if w.joined || gt.child == nil {
		return
	}
	w.joined = true
	fds := w.reply
	if w.own != nil {
		fds = append(slices.Clone(fds), w.own.gateway, w.own.workers)
	}
	m.order(gt, gateway.JoinOrder(int(w.slot), w.pid, w.gen.number), fds...)
}

// leave tells the gateway that a worker was reaped. It is told of those that
// never joined too: they may have taken a request after they said they were
// ready and before we heard it. The answers tell what it held: how many there will be.
func (m *master) leave(w *worker, d *pool.Death, held []uint64) (answers int) {
	gt := w.gen.gate
	if gt.child == nil || gt.child.closed || !w.joined && len(held) == 0 {
		return 0
	}
	blamed, others := w.gen.blame(w.slot, d, held)
	m.order(gt, gateway.LeaveOrder(int(w.slot), w.pid, leaveCause(d), blamed))
	if len(others) == 0 {
		return 1
	}
	m.order(gt, gateway.LeaveOrder(int(w.slot), w.pid, pool.Crashed.String(), others))
	return 2
}

// order sends a gateway an order. One that does not take it was killed by that, and
// its successor learns everything anew.
func (m *master) order(gt *gate, msg dispatch.Tuple, fds ...int) {
	if gt.child == nil || gt.child.closed {
		return
	}
	err := gt.child.order(msg, fds...)
	switch {
	case err == nil:
	case errors.Is(err, syscall.EPIPE): // it ended, and that will be heard
		m.log.Debug("gateway was gone", "order", word(msg), "pid", gt.child.pid)
	default:
		m.log.Warn("gateway did not take an order", "order", word(msg), "pid", gt.child.pid, "error", err)
	}
}

// gatewaySaid hears a gateway.
func (m *master) gatewaySaid(gt *gate, msg dispatch.Tuple) {
	switch word(msg) {
	case gateway.FactServing:
		gt.serving = true
		m.log.Debug("gateway accepts", "pid", gt.child.pid)
	case gateway.FactProbed:
		gt.probed(number(msg, 1))
	case gateway.FactLeft:
		m.left(msg)
	case gateway.FactRequests:
		m.requestsTold(gt, msg)
	case gateway.FactHeld:
		m.heldTold(gt, number(msg, 1), number(msg, 2))
	case gateway.FactMoved:
		if prior := m.reload.prior; prior != nil && prior.gate == gt && prior.number == number(msg, 1) {
			prior.spared = true
		}
	case gateway.FactDrained:
		// One that drains without having been asked was told by somebody's signal;
		// another will follow it, and what that holds is not drained.
		gt.drained = gt.drained || m.dispensable(gt)
	case gateway.FactFailed:
		gt.reason = text(msg, 1)
		if m.stage != booting {
			m.log.Error("gateway failed", "pid", gt.child.pid, "reason", gt.reason)
		}
	default:
		m.log.Error("gateway not understood", "message", word(msg))
	}
}

// dispensable reports that a gateway is not replaced when it ends.
func (m *master) dispensable(gt *gate) bool { return m.stage == stopping || gt != m.gen.gate }

// gatewayEnded starts another gateway, at once if it was the first to die for
// a while. What the dead one held is lost with its clients; what waits in the
// lanes is thrown away, since nobody would read the answers.
func (m *master) gatewayEnded(gt *gate, exit pool.Exit) {
	pid, reason := gt.child.pid, gt.reason
	gateway.Forget(gt.counts)
	m.parts.Outlived(parts.Gateway(pid))
	gt.child.hangUp()
	gt.survey.drop()
	gt.child, gt.serving, gt.ordered = nil, false, false
	m.obituaries.publishAll() // what it has not answered it never will
	if reason == "" {
		reason = desk.Ending(exit)
	}
	if m.dispensable(gt) {
		if !gt.drained && m.outcome == nil && !m.quickly {
			m.log.Warn("gateway ended while it drained", "pid", pid, "reason", reason)
		}
		gt.drained = true
		if m.reload.step == moving && m.stage != stopping && gt == m.reload.next.gate {
			m.refuse(fmt.Errorf("start another gateway: %s", reason))
		}
		return
	}
	m.tolls.Restart("gateway")
	wait := gt.budget.died(time.Now())
	if m.stage == booting && (gt.reason != "" || wait > 0) {
		m.fail(fmt.Errorf("start the gateway: %s", reason))
		return
	}
	stale := 0
	for _, g := range m.generations() {
		if g.gate == gt {
			stale += g.clearLanes()
			g.spared = g.spared || g == m.reload.prior // nobody is left who could send it anything
		}
	}
	m.chronicle.Note(control.Event{What: "gateway died", Generation: m.gen.number, PID: pid, Reason: reason})
	m.log.Error("gateway ended", "pid", pid, "reason", reason, "stale", stale, "pause", wait)
	gt.retryAt = time.Now().Add(wait)
	m.restart(time.Now())
}

// dropGateway lets a gateway go that is not wanted any more.
func (m *master) dropGateway(gt *gate) {
	switch {
	case gt.child == nil:
		gt.drained = true
	case gt.ordered:
		m.order(gt, gateway.DrainOrder(0))
	default: // it never accepted, so it holds nothing
		gt.drained = true
		gt.child.hangUp()
	}
}

// judgeGateway kills a gateway whose loops are all silent, or that does not obey. With a watchdog it
// is left alone: then pings are withheld, and systemd starts the service
// afresh, which also cures what made the gateway stop.
func (m *master) judgeGateway(now time.Time) {
	gt := m.gen.gate
	c := gt.child
	if c == nil || m.voice.Watchdog() > 0 || m.stage != serving {
		return
	}
	if now.Sub(later(c.started, m.awake)) < gatewaySilence {
		return
	}
	latest := slices.Max(gt.beats())
	switch {
	case time.Duration(dispatch.Monotonic()-latest) >= gatewaySilence:
		m.log.Error("gateway stopped beating", "pid", c.pid, "limit", gatewaySilence)
		gt.reason = "it stopped beating"
	case gt.probe.unanswered(now, m.awake) >= gatewaySilence:
		m.log.Error("gateway obeys no more", "pid", c.pid, "limit", gatewaySilence)
		gt.reason = "it obeyed no more"
	default:
		return
	}
	c.kill()
}

// beats returns the last beat of each loop of the gateway.
func (gt *gate) beats() []int64 {
	beats := make([]int64, gt.board.Loops())
	for i := range beats {
		beats[i] = gt.board.Loop(i).Beat()
	}
	return beats
}
