package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/settings"
)

// scriptLimit bounds the run of a configuration file, which is the user's code
// and may do anything.
const scriptLimit = 60 * time.Second

// ErrConfig means that the configuration file in Python cannot be used. The error
// that wraps it holds its traceback.
var ErrConfig = errors.New("the configuration file cannot be used")

// Script is a configuration file that only Python can read, gunicorn.conf.py. The
// zero Script is none.
type Script struct {
	Name   string // path, or python:MODULE
	Python string // the interpreter to run it with
	// Decide resolves the settings once the file has said its part.
	Decide func(settings.Layer) (*settings.Values, error)
}

// readScript starts a mold, has it run the configuration file and decides the
// settings. The mold is kept for the first generation: it holds the hooks. Without
// such a file there is nothing to do.
func (m *master) readScript(ctx context.Context) (*settings.Values, []string, error) {
	script := m.cfg.Script
	if script.Name == "" {
		return m.cfg.Settings, nil, nil
	}
	c, err := m.startScript(script)
	if err != nil {
		return nil, nil, err
	}
	m.early = c // release ends it, if nobody else has taken it by then
	said, err := m.awaitScript(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return m.decide(script, said)
}

// startScript starts a mold that runs a configuration file.
func (m *master) startScript(script Script) (*child, error) {
	c, err := m.spawnMold(script.Python, m.home, applicationEnv(m.cfg.Env, nil))
	if err != nil {
		return nil, err
	}
	_ = c.order(readOrder(script)) // a mold that does not take it is dead, which is a fact of its own
	return c, nil
}

// decide resolves the settings with what the file says, and tells its hooks.
func (m *master) decide(script Script, said dispatch.Dict) (*settings.Values, []string, error) {
	layer, err := scriptLayer(script, said)
	if err != nil {
		return nil, nil, err
	}
	values, err := script.Decide(layer)
	if err != nil {
		return nil, nil, err
	}
	m.doubt(script, said)
	hooks, _ := said["hooks"].(dispatch.List)
	m.tellIdleHooks(script, words(hooks))
	return values, words(hooks), nil
}

// scriptSaid hears the mold that runs the file during a reload.
func (m *master) scriptSaid(msg dispatch.Tuple) {
	r := &m.reload
	switch {
	case r.step != reading:
	case word(msg) == "failed":
		r.said = text(msg, 1)
	case word(msg) == "read":
		said, _ := item(msg, 1).(dispatch.Dict)
		values, hooks, err := m.decide(r.script, said)
		if err != nil {
			m.refuse(err)
			return
		}
		m.raise(values, r.script, hooks)
	}
}

// scriptEnded hears that it ended before any generation had it.
func (m *master) scriptEnded(exit pool.Exit) {
	m.early.hangUp()
	m.early = nil
	if r := &m.reload; r.step == reading && m.stage != stopping {
		if r.said == "" {
			r.said = desk.Ending(exit)
		}
		m.refuse(&bootFailure{kind: ErrConfig, what: "run " + r.script.Name, reason: lastLine(r.said), text: r.said})
	}
}

// dismiss ends a mold that no generation has, and waits until it is reaped.
func (m *master) dismiss(c *child) {
	c.hangUp()
	if !c.reaped {
		c.kill()
	}
	for !c.reaped {
		<-m.facts.Wake()
		for _, f := range m.facts.Take() {
			if end, ok := f.(childEnded); ok && end.child == c {
				c.reaped = true
			}
		}
	}
}

// callHook has the mold of a generation call a hook of its configuration file, if
// that has one of the name. order is the order that stands for it.
func (m *master) callHook(g *generation, name string, order ...any) {
	c := g.mold.child
	if !slices.Contains(g.plan.hooks, name) || c == nil || c.closed {
		return
	}
	_ = c.order(dispatch.Tuple(order)) // a mold that does not take it is dead, which is a fact of its own
}

// doubt warns of names in the file that look like misspelt settings. They may be the
// file's own variables, so they are no error.
func (m *master) doubt(script Script, said dispatch.Dict) {
	unknown, _ := said["unknown"].(dispatch.List)
	for _, name := range words(unknown) {
		if near := settings.Nearest(name, settings.Names()); near != "" {
			m.log.Warn("configuration file sets what is no setting", "file", script.Name, "name", name, "meant", near)
		}
	}
}

// tellIdleHooks warns of hooks that are defined and never called.
func (m *master) tellIdleHooks(script Script, hooks []string) {
	for _, hook := range hooks {
		if instead := insteadOfHook(hook); instead != "" {
			m.log.Warn("hook is never called", "file", script.Name, "hook", hook, "instead", instead)
		}
	}
}

// insteadOfHook says what takes the place of a hook of Gunicorn's that is never
// called here; "" if it is called.
func insteadOfHook(name string) string {
	switch name {
	case "pre_exec":
		return "the master is not forked for a new binary"
	case "ssl_context":
		return "TLS is the gateway's; use tls_min_version, ciphers and cert_reqs"
	case "on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit":
		return "there are no dirty workers; run long tasks in a queue of tasks"
	}
	return ""
}

// readOrder tells a mold to run the file, and which names in it are settings.
func readOrder(s Script) dispatch.Tuple {
	names := dispatch.List{}
	for _, name := range settings.Names() {
		names = append(names, name)
	}
	return dispatch.Tuple{"read", s.Name, names}
}

// awaitScript waits for what the file says.
func (m *master) awaitScript(ctx context.Context, c *child) (dispatch.Dict, error) {
	msg, err := m.answer(ctx, c, "read", scriptLimit)
	if err == nil && word(msg) == "failed" {
		err = errors.New(strings.TrimSpace(text(msg, 1)))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, m.cfg.Script.Name, err)
	}
	said, ok := msg[len(msg)-1].(dispatch.Dict)
	if !ok {
		return nil, fmt.Errorf("%w: %s: the mold was not understood", ErrConfig, m.cfg.Script.Name)
	}
	return said, nil
}

// answer waits for a fact of that name from a mold that serves nobody, or for the
// fact "failed". Nothing else runs, so a signal to stop ends the wait and there is
// nothing to drain.
func (m *master) answer(ctx context.Context, c *child, name string, limit time.Duration) (dispatch.Tuple, error) {
	over := time.NewTimer(limit)
	defer over.Stop()
	var said dispatch.Tuple
	for said == nil && !c.reaped {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case sig := <-m.cfg.Signals:
			if sig == syscall.SIGTERM || sig == os.Interrupt || sig == syscall.SIGQUIT {
				return nil, fmt.Errorf("stopped by %v", sig)
			}
		case <-over.C:
			return nil, fmt.Errorf("it did not end within %v", limit)
		case <-m.facts.Wake():
		}
		for _, f := range m.facts.Take() {
			switch f := f.(type) {
			case childSaid:
				if said == nil && (word(f.msg) == name || word(f.msg) == "failed") {
					said = f.msg
				}
			case childEnded:
				c.reaped = true
				if said == nil {
					return nil, errors.New(desk.Ending(f.exit))
				}
			}
		}
	}
	return said, nil
}

// scriptLayer is what the file says as a layer of settings.
func scriptLayer(s Script, said dispatch.Dict) (settings.Layer, error) {
	values, _ := said["settings"].(dispatch.Dict)
	texts := make(map[string][]string, len(values))
	for _, name := range settings.Names() {
		list, there := values[name].(dispatch.List)
		if !there {
			continue
		}
		if name == "python" || name == "config" {
			return settings.Layer{}, fmt.Errorf("%w: %s sets %s, which must be known before it is run; give --%s", ErrConfig, s.Name, name, name)
		}
		texts[name] = words(list)
	}
	return settings.FromScript(s.Name, texts), nil
}

// words are the texts of a list, as far as it holds texts.
func words(list dispatch.List) []string {
	texts := make([]string, 0, len(list))
	for _, v := range list {
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}
