package master

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/indrik/indrik/activation"
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

// gate is the master's side of the gateway. The zero value is one that does not
// run.
type gate struct {
	child   *child
	epoch   uint8 // of the one that runs, or ran last
	ordered bool  // it was told to serve
	serving bool  // it does
	reason  string
	budget  budget
	retryAt time.Time // when to start the next; zero if one runs
}

// startGateway starts a gateway and tells it all there is to know: listeners,
// lane, and the workers that are ready.
func (m *master) startGateway() error {
	c, err := startChild(program{
		name: "gateway",
		// Not the path: the file there may be another version by now.
		path:   "/proc/self/exe",
		argv:   []string{m.cfg.Executable, "gateway", "--log-level", m.cfg.Settings.LogLevel()},
		env:    append(activation.Unset(m.cfg.Env), gatewayEnv),
		stdout: m.cfg.Stdout, stderr: m.cfg.Stderr,
	}, m.facts.post)
	if err != nil {
		return err
	}
	m.gate = gate{child: c, epoch: m.gate.epoch + 1, budget: m.gate.budget}
	m.log.Debug("gateway started", "pid", c.pid, "epoch", m.gate.epoch)
	return m.brief(c)
}

// brief gives a new gateway its first orders.
func (m *master) brief(c *child) error {
	configure, err := gateway.ConfigureOrder(m.gatewayConfig())
	if err != nil {
		return err
	}
	if err := c.order(configure, m.board.FD()); err != nil {
		return err
	}
	for _, s := range m.sockets {
		if err := c.order(gateway.ListenOrder(s.Name, s.Owned), s.FD); err != nil {
			return err
		}
	}
	m.tellCourse(m.gen)
	for _, w := range m.gen.workers {
		if w.joined = false; w.canJoin() {
			m.join(w)
		}
	}
	return nil
}

func (m *master) gatewayConfig() gateway.Config {
	s := m.cfg.Settings
	keepAlive := s.KeepAlive()
	if keepAlive == 0 {
		keepAlive = -1 // the gateway's word for "close after each response"
	}
	return gateway.Config{
		Epoch:        m.gate.epoch,
		Loops:        m.loops,
		Multiprocess: m.wanted > 1,
		RootPath:     m.cfg.Settings.RootPath(),
		Software:     "indrik/" + m.cfg.Version,
		AccessLog:    s.AccessLog(),
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
		Static:       m.static,
		CopyFiles:    !s.Sendfile(),

		TLS:              m.tls,
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
	if w.released {
		return false // the gateway has nothing to do with it any more
	}
	return w.phase == pool.Idle || w.phase == pool.Busy || w.phase == pool.Draining && w.ready
}

// join tells the gateway that a worker is ready, once.
func (m *master) join(w *worker) {
	if w.joined || m.gate.child == nil {
		return
	}
	w.joined = true
	fds := w.reply
	if w.own != nil {
		fds = append(slices.Clone(fds), w.own.gateway, w.own.workers)
	}
	m.order(gateway.JoinOrder(int(w.slot), w.pid, w.gen.number), fds...)
}

// leave tells the gateway that a worker was reaped. It is told of those that
// never joined too: they may have taken a request after they said they were
// ready and before we heard it.
func (m *master) leave(w *worker, d *pool.Death, held []uint64) {
	if m.gate.child != nil && (w.joined || len(held) > 0) {
		cause := d.Cause.String()
		if d.Cause == pool.Overran || d.Cause == pool.Silent {
			cause = gateway.CauseTimeout
		}
		m.order(gateway.LeaveOrder(int(w.slot), w.pid, cause, held))
	}
}

// order sends the gateway an order. A gateway that does not take it was killed
// by that, and its successor learns everything anew.
func (m *master) order(msg dispatch.Tuple, fds ...int) {
	if m.gate.child == nil || m.gate.child.closed {
		return
	}
	err := m.gate.child.order(msg, fds...)
	switch {
	case err == nil:
	case errors.Is(err, syscall.EPIPE): // it ended, and that will be heard
		m.log.Debug("gateway was gone", "order", word(msg), "pid", m.gate.child.pid)
	default:
		m.log.Warn("gateway did not take an order", "order", word(msg), "pid", m.gate.child.pid, "error", err)
	}
}

// gatewaySaid hears the gateway.
func (m *master) gatewaySaid(msg dispatch.Tuple) {
	switch word(msg) {
	case gateway.FactServing:
		m.gate.serving = true
	case gateway.FactDrained:
		// One that drains without having been asked was told by somebody's signal;
		// another will follow it, and what that holds is not drained.
		m.drained = m.drained || m.stage == stopping
	case gateway.FactFailed:
		m.gate.reason = text(msg, 1)
		if m.stage != booting {
			m.log.Error("gateway failed", "pid", m.gate.child.pid, "reason", m.gate.reason)
		}
	default:
		m.log.Error("gateway not understood", "message", word(msg))
	}
}

// gatewayEnded starts another gateway, at once if it was the first to die for
// a while. What the dead one held is lost with its clients; what waits in the
// lane is thrown away, since nobody would read the answers.
func (m *master) gatewayEnded(exit pool.Exit) {
	pid := m.gate.child.pid
	m.gate.child.hangUp()
	m.gate.child, m.gate.serving, m.gate.ordered = nil, false, false
	if m.stage == stopping {
		if !m.drained && m.outcome == nil && !m.quickly {
			m.log.Warn("gateway ended while it drained", "pid", pid, "reason", ending(exit))
		}
		m.drained = true
		return
	}
	reason := m.gate.reason
	if reason == "" {
		reason = ending(exit)
	}
	wait := m.gate.budget.died(time.Now())
	if m.stage == booting && (m.gate.reason != "" || wait > 0) {
		m.fail(fmt.Errorf("start the gateway: %s", reason))
		return
	}
	stale := m.gen.clearLanes()
	m.log.Error("gateway ended", "pid", pid, "reason", reason, "stale", stale, "pause", wait)
	m.gate.retryAt = time.Now().Add(wait)
	m.restart(time.Now())
}

// judgeGateway kills a gateway whose loops are all silent. With a watchdog it
// is left alone: then pings are withheld, and systemd starts the service
// afresh, which also cures what made the gateway stop.
func (m *master) judgeGateway(now time.Time) {
	c := m.gate.child
	if c == nil || m.watchdog > 0 || m.stage != serving {
		return
	}
	if now.Sub(later(c.started, m.awake)) < gatewaySilence {
		return
	}
	latest := slices.Max(m.beats())
	if time.Duration(dispatch.Monotonic()-latest) < gatewaySilence {
		return
	}
	m.log.Error("gateway stopped beating", "pid", c.pid, "limit", gatewaySilence)
	m.gate.reason = "it stopped beating"
	c.kill()
}

// beats returns the last beat of each loop of the gateway.
func (m *master) beats() []int64 {
	beats := make([]int64, m.loops)
	for i := range beats {
		beats[i] = m.board.Loop(i).Beat()
	}
	return beats
}
