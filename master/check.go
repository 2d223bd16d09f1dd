package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/cgroup/parts"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/internal/mailbox"
	"github.com/indrik/indrik/settings"
)

// Check reads the configuration as [Run] does and, if load is true, goes on to
// everything that can fail before a socket is bound: the working directory, static
// files, certificates, and the application, which is loaded in a mold. No hook is
// called, as with Gunicorn's --check-config. Nothing is left running, and the
// working directory is as it was. Errors are those of Run; the traceback of an
// application is written to Stderr.
func Check(ctx context.Context, cfg Config, load bool) error {
	m := newMaster(cfg)
	defer m.release()
	here, err := os.Open(".")
	if err != nil {
		return fmt.Errorf("find the working directory: %w", err)
	}
	defer here.Close() // read side; nothing to lose
	values, hooks, err := m.begin(ctx)
	if err != nil || !load {
		return err
	}
	err = m.check(ctx, values, hooks)
	if back := here.Chdir(); err == nil && back != nil {
		err = fmt.Errorf("return to the working directory: %w", back)
	}
	return err
}

// check does what Check says, once the settings are decided.
func (m *master) check(ctx context.Context, s *settings.Values, hooks []string) error {
	p, err := m.outline(s, m.cfg.Script, hooks)
	if err != nil {
		return err
	}
	if _, err := m.readTLS(p); err != nil {
		return err
	}
	c, err := m.checkMold(p)
	if err != nil {
		return err
	}
	defer m.dismiss(c)
	return m.checkApplication(ctx, p, c)
}

// checkMold is the mold that has run the configuration file, or a new one.
func (m *master) checkMold(p *plan) (*child, error) {
	if c := m.early; c != nil {
		m.early = nil
		return c, nil
	}
	s := p.settings
	c, err := m.spawnMold(s.Python(), p.dir, applicationEnv(m.cfg.Env, s.RawEnv()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// checkApplication has the mold load the application.
func (m *master) checkApplication(ctx context.Context, p *plan, c *child) error {
	app := m.app(p)
	if err := c.order(dispatch.Tuple{"check", m.moldSettings(p, 0, -1)}); err != nil {
		return err
	}
	msg, err := m.answer(ctx, c, "checked", moldBoot+p.settings.BootTimeout())
	if err != nil {
		return fmt.Errorf("load %s: %w: %w", app, ErrBoot, err)
	}
	if word(msg) != "failed" {
		return nil
	}
	failed := mold{report: text(msg, 1), stage: text(msg, 2)}
	failure := failed.failure(app, lastLine(failed.report))
	m.printRaw(failure.text)
	return failure
}

// newMaster makes a master that has done nothing yet.
func newMaster(cfg Config) *master {
	log := cfg.Log.Named("master")
	return &master{
		cfg:   cfg,
		env:   lookup(cfg.Env),
		log:   log,
		voice: desk.NewVoice(log),
		facts: mailbox.New[fact](),
		path:  cfg.Path,
		self:  -1,
		began: time.Now(),
		oom:   cgroup.WatchOOM(parts.Master),
	}
}

// Findings is what a configuration file in Python says, for people who want to
// write it in another form.
type Findings struct {
	Settings settings.Layer
	Hooks    []string          // names of the hooks that it defines, sorted
	Objects  []string          // names of settings whose values only Python can hold, sorted
	Unknown  []string          // names of plain values that are no setting
	Computed map[string]string // the source text of values that are no literals, by name
}

// Examine runs the configuration file of cfg.Script and says what it found. The
// values are not judged. The error wraps [ErrConfig] if the file cannot be used.
func Examine(ctx context.Context, cfg Config) (Findings, error) {
	m := newMaster(cfg)
	c, err := m.spawnMold(cfg.Script.Python, "", applicationEnv(cfg.Env, nil))
	if err != nil {
		return Findings{}, err
	}
	defer m.dismiss(c)
	if err := c.order(append(readOrder(cfg.Script), true)); err != nil {
		return Findings{}, err
	}
	said, err := m.awaitScript(ctx, c)
	if err != nil {
		return Findings{}, err
	}
	f := Findings{Computed: map[string]string{}}
	lists := map[string]*[]string{"hooks": &f.Hooks, "objects": &f.Objects, "unknown": &f.Unknown}
	for name, to := range lists {
		found, ok := said[name].(dispatch.List)
		if !ok {
			return Findings{}, errors.New("the mold was not understood")
		}
		*to = words(found)
	}
	computed, _ := said["computed"].(dispatch.Dict)
	for name, source := range computed {
		if text, ok := source.(string); ok {
			f.Computed[name] = text
		}
	}
	f.Settings, err = scriptLayer(cfg.Script, said)
	return f, err
}
