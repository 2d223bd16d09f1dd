package master

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// workerBoot bounds the import of the application in one worker. It is a
	// constant in this version; Gunicorn counts it against --timeout.
	workerBoot = 60 * time.Second
	// spareSlots is how far TTIN may raise the number of workers past what was
	// configured: the scoreboard has a fixed size.
	spareSlots = 64
)

// prepare makes everything that can fail for reasons of configuration. Nothing
// of it starts a process.
func (m *master) prepare(ctx context.Context) error {
	m.wanted, m.loops = m.cfg.Settings.Workers(), loops(m.cfg.Settings.GatewayThreads())
	err := m.enterDirectory()
	if err != nil {
		return err
	}
	if m.static, err = staticFiles(m.cfg.Settings); err != nil {
		return err
	}
	if m.notifier, err = activation.NewNotifier(m.env); err != nil {
		return err
	}
	if m.watchdog, err = activation.WatchdogInterval(m.env, m.cfg.PID); err != nil {
		return err
	}
	if err := m.openSockets(ctx); err != nil {
		return err
	}
	if err := m.prepareTLS(); err != nil {
		return err
	}
	if m.pidFile, err = writePIDFile(m.cfg.Settings.PIDFile(), m.cfg.PID); err != nil {
		return err
	}
	// Workers are forked by the mold's middle process, which exits: they must
	// become our children and not PID 1's.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	slots := min(m.wanted+spareSlots, pool.MaxSize)
	if m.board, err = dispatch.NewScoreboard(m.loops, slots, boardSeats(m.cfg.Settings)); err != nil {
		return fmt.Errorf("make the scoreboard: %w", err)
	}
	if m.gen, err = newGeneration(1, m.board, m.poolConfig(), m.facts.post); err != nil {
		return err
	}
	m.gen.own, m.gen.fluid = mayNeedOwn(m.cfg.Settings.WorkerClass()), m.cfg.Settings.Reload()
	return nil
}

// poolConfig says what the pool does with workers.
func (m *master) poolConfig() pool.Config {
	s := m.cfg.Settings
	limits := pool.Limits{Boot: workerBoot, Busy: s.Timeout(), Grace: s.GracefulTimeout()}
	if s.Timeout() > 0 { // 0 means no limit, for silence too
		limits.Beat = max(s.Timeout(), 5*laneBeat)
	}
	return pool.Config{
		Size:     m.wanted,
		Limits:   limits,
		Statuses: map[int]pool.Cause{statusBoot: pool.BootFailed, statusLoad: pool.LoadFailed},
		Log:      m.cfg.Log.Named("pool"),
	}
}

// launch starts gateway, mold and pool. From here on failures are facts.
func (m *master) launch() {
	m.gen.start()
	if err := m.startGateway(); err != nil && m.gate.child == nil {
		m.fail(err)
		return
	}
	if err := m.startMold(m.gen); err != nil && m.gen.mold.child == nil {
		m.fail(err)
	}
}

// restart starts the gateway and the mold if one of them is due. One that
// cannot even be started counts as one that died.
func (m *master) restart(now time.Time) {
	if m.stage == stopping {
		return
	}
	if g := &m.gate; g.child == nil && !now.Before(g.retryAt) {
		if err := m.startGateway(); err != nil && m.gate.child == nil {
			wait := max(m.gate.budget.died(now), budgetFirst)
			m.gate.retryAt = now.Add(wait)
			m.log.Error("gateway not started", "error", err, "pause", wait)
		}
	}
	if g := &m.gen.mold; g.child == nil && !now.Before(g.retryAt) {
		if err := m.startMold(m.gen); err != nil && g.child == nil {
			wait := max(g.budget.died(now), budgetFirst)
			g.retryAt = now.Add(wait)
			m.log.Error("mold not started", "error", err, "pause", wait)
		}
	}
}

// loops is how many event loops the gateway gets. By default half of the
// processors, because the workers need the others; eight loops answer more
// requests than Python workers on any machine ask for.
func loops(wanted int) int {
	if wanted > 0 {
		return wanted
	}
	return min(max(runtime.GOMAXPROCS(0)/2, 1), 8)
}

// release gives back what Run took from the kernel. Every process is gone.
func (m *master) release() {
	if m.early != nil { // preparing failed after the file was run
		m.dismiss(m.early)
	}
	if err := m.closeSockets(); err != nil {
		m.log.Warn("listener not closed", "error", err)
	}
	m.pidFile.remove()
	if m.gen != nil {
		m.gen.lane.close()
	}
	if m.board != nil {
		_ = m.board.Close() // shared memory; nothing to flush
	}
	if m.notifier != nil {
		_ = m.notifier.Close() // datagrams; what was sent is sent
	}
}
