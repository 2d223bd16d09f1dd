package master

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// spareSlots is how far TTIN may raise the number of workers past what was
// configured: the scoreboard has a fixed size.
const spareSlots = 64

// start brings the processes up. False: there is nothing to run, because it failed or because no more than a check was
// asked for.
func (m *master) start(ctx context.Context) (serving bool, err error) {
	// A collection in these milliseconds would find nothing, and keep the interpreter waiting.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	values, hooks, err := m.begin(ctx)
	if err == nil && (values.CheckConfig() || values.PrintConfig()) {
		return false, m.check(ctx, values, hooks)
	}
	if err == nil {
		err = m.prepare(ctx, values, hooks)
	}
	if err != nil {
		m.tellFailure(err)
		return false, err
	}
	m.launch()
	return true, nil
}

// begin takes over what systemd gave, and settles the configuration, for which a mold may have to run a file, and
// tells its hooks.
func (m *master) begin(ctx context.Context) (_ *settings.Values, hooks []string, err error) {
	if m.home, err = os.Getwd(); err != nil {
		return nil, nil, fmt.Errorf("find the working directory: %w", err)
	}
	if err := m.inherit(); err != nil {
		return nil, nil, err
	}
	return m.readScript(ctx)
}

// inherit takes over what systemd gave: before the first child is started, which would have the descriptors too.
func (m *master) inherit() (err error) {
	if err = m.voice.Find(m.env, m.cfg.PID); err != nil {
		return err
	}
	if m.passed, err = activation.Inherited(m.env, m.cfg.PID); err != nil {
		return err
	}
	if m.admin.Passed, m.passed, err = takeAdmin(m.passed); err != nil {
		return err
	}
	m.stored, m.passed = desk.TakeStored(m.passed)
	m.sockets = slices.Clone(m.passed)
	return nil
}

// startAhead starts the interpreter of the first generation while the rest is prepared: it needs longer than all of
// that. What is wrong with it shows when the generation takes it, or starts its own.
func (m *master) startAhead(s *settings.Values) {
	if m.early != nil { // it has run the configuration file
		return
	}
	dir := directory(m.home, s)
	if c, err := m.spawnMold(s.Python(), dir, applicationEnv(m.cfg.Env, s.RawEnv())); err == nil {
		m.early = c // release ends it, if no generation has taken it by then
	}
}

// prepare makes everything that can fail for reasons of configuration. Of processes it starts only an interpreter.
func (m *master) prepare(ctx context.Context, values *settings.Values, hooks []string) error {
	m.startAhead(values)
	p, err := m.draft(ctx, values, m.cfg.Script, hooks)
	if err != nil {
		return err
	}
	m.enact(p)
	m.voice.Drop(&m.stored)
	// Workers are forked by the mold's middle process, which exits: they must
	// become our children and not PID 1's.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	m.parts = m.divide(p)
	gate, err := newGate(p)
	if err != nil {
		return err
	}
	if m.gen, err = m.newGeneration(p, gate); err != nil {
		gate.close()
		return err
	}
	gate.serves = m.gen
	m.gen.early, m.early = m.early, nil
	return nil
}

// newGeneration makes a generation of a plan, whose requests come from gate. Its
// number is used up even if that fails.
func (m *master) newGeneration(p *plan, gate *gate) (*generation, error) {
	m.last++
	number := m.last
	slots := p.staff.room() + 1 // one for a successor
	board, err := dispatch.NewScoreboard(1, slots, boardSeats(p.settings))
	if err != nil {
		return nil, fmt.Errorf("make the scoreboard of generation %d: %w", number, err)
	}
	var g *generation
	cfg := m.poolConfig(p.settings)
	start := m.startStrength(p)
	cfg.Slots, cfg.Size = slots, start
	cfg.Explain, cfg.Report = m.explain, m.announcer(&g)
	g, err = newGeneration(number, board, cfg, m.post)
	if err != nil {
		_ = board.Close() // shared memory; nothing to flush
		return nil, err
	}
	g.place = m.placer(g)
	g.plan, g.gate, g.wanted, g.before = p, gate, start, -1
	g.own, g.fluid = mayNeedOwn(p.settings.WorkerClass()), p.settings.Reload()
	return g, nil
}

// divide makes a part of the service's control group for each process, if it may.
func (m *master) divide(p *plan) *parts.Parts {
	return parts.Divide(p.settings.ControlGroups(), p.settings.WorkerMemoryHigh() > 0, m.log)
}

// placer gives a new worker of g its part.
func (m *master) placer(g *generation) func(*worker) {
	return func(w *worker) { m.parts.PlaceLimited(w.part(), w.pid, g.plan.settings.WorkerMemoryHigh()) }
}

// poolConfig says what the pool does with workers, but for their number.
func (m *master) poolConfig(s *settings.Values) pool.Config {
	return pool.Config{
		BootAtOnce: bootAtOnce(s.BootConcurrency()),
		Limits:     limits(s),
		Statuses:   map[int]pool.Cause{statusBoot: pool.BootFailed, statusLoad: pool.LoadFailed},
		Log:        m.cfg.Log.Named("pool"),
	}
}

// launch starts gateway, mold and pool. From here on failures are facts.
func (m *master) launch() {
	g := m.gen
	g.start()
	if err := m.startGateway(g.gate); err != nil && g.gate.child == nil {
		m.fail(err)
		return
	}
	if err := m.startMold(g); err != nil && g.mold.child == nil {
		m.fail(err)
	}
}

// restart starts the gateway and the molds of which one is due. One that cannot
// even be started counts as one that died.
func (m *master) restart(now time.Time) {
	if m.stage == stopping || m.reload.step == quieting {
		return
	}
	if gt := m.gen.gate; gt.child == nil && !now.Before(gt.retryAt) {
		if err := m.startGateway(gt); err != nil && gt.child == nil {
			wait := max(gt.budget.died(now), budgetFirst)
			gt.retryAt = now.Add(wait)
			m.log.Error("gateway not started", "error", err, "pause", wait)
		}
	}
	for _, g := range m.generations() {
		if g.leaving || g.parked || g.mold.child != nil || now.Before(g.mold.retryAt) {
			continue
		}
		if err := m.startMold(g); err != nil && g.mold.child == nil {
			wait := max(g.mold.budget.died(now), budgetFirst)
			g.mold.retryAt = now.Add(wait)
			m.log.Error("mold not started", "gen", g.number, "error", err, "pause", wait)
		}
	}
}

// release gives back what Run took from the kernel. Every process is gone.
func (m *master) release() {
	closeAll([]int{m.self})
	m.forgetCompiled()
	m.numbers.client.Close()
	m.closeAdmin()
	if m.early != nil { // preparing failed after the file was run
		m.dismiss(m.early)
	}
	if err := m.stored.Close(); err != nil {
		m.log.Warn("listener not closed", "error", err)
	}
	if err := m.closeSockets(); err != nil {
		m.log.Warn("listener not closed", "error", err)
	}
	if m.plan != nil {
		m.closeDoor(m.plan.door)
		m.plan.pidFile.Remove()
	}
	for _, g := range m.generations() {
		g.close()
	}
	for _, gt := range m.gates() {
		gt.close()
	}
	m.voice.Close()
}
