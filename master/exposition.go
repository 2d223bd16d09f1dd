package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/metrics"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/python"
)

const (
	// multiprocVariable names the directory in which prometheus_client keeps what the
	// workers count.
	multiprocVariable = "PROMETHEUS_MULTIPROC_DIR"
	// expositionLimit bounds the time of one look at it, of which the start of Python and
	// the import of prometheus_client are the most.
	expositionLimit = 5 * time.Second
	// expositionRoom bounds what comes of it, in bytes.
	expositionRoom = 8 << 20
	// expositionKept is for how long it is told to others who ask.
	expositionKept = time.Second
	// expositionEnd is END of python/indrik/exposition.py.
	expositionEnd = "# all of it\n"
)

var errTooMuch = fmt.Errorf("it is more than %d MiB", expositionRoom>>20)

// exposition collects what the application counts with prometheus_client in multiprocess
// mode. A process of its own does it for each look: what it imports and how it fails touches
// neither mold nor workers, and it works with molds that are frozen or dead. One runs
// at a time. Any goroutine may use it; the zero value is ready.
type exposition struct {
	mu   sync.Mutex
	at   time.Time // of the last look
	text []byte
	err  error
	told string // what was wrong, when the log was told
}

// application is what the metrics of the plan that is in force are collected by; nil if its
// workers keep none.
func (m *master) application() metrics.Application {
	s := m.plan.settings
	env := applicationEnv(m.cfg.Env, s.RawEnv())
	if variable(env, multiprocVariable) == "" {
		return nil
	}
	command := exec.Cmd{Path: s.Python(), Args: []string{s.Python(), "-c", "", s.User(), s.Group()}, Env: env, Dir: m.plan.dir}
	return func(ctx context.Context) ([]byte, error) { return m.exposition.collect(ctx, command, m.log) }
}

// variable is the value of an environment variable, "" if there is none.
func variable(env []string, name string) string {
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// collect runs the command, unless somebody has just now. What went wrong is logged once.
func (e *exposition) collect(ctx context.Context, command exec.Cmd, log hclog.Logger) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.at) < expositionKept {
		return e.text, e.err
	}
	e.text, e.err = expose(context.WithoutCancel(ctx), command) // others wait for it too
	e.at = time.Now()
	said := ""
	if e.err != nil {
		said = e.err.Error()
	}
	if said != e.told && said != "" {
		log.Warn("the application's metrics are not told", "directory", variable(command.Env, multiprocVariable), "error", hclog.Quote(said))
	}
	e.told = said
	return e.text, e.err
}

// expose runs the program, within its limits.
func expose(ctx context.Context, command exec.Cmd) ([]byte, error) {
	source, err := python.Exposition()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, expositionLimit)
	defer cancel()
	args := append([]string{"-c", string(source)}, command.Args[3:]...)
	run := exec.CommandContext(ctx, command.Path, args...)
	run.Env, run.Dir, run.WaitDelay = command.Env, command.Dir, time.Second
	out, said := &limited{most: expositionRoom}, &limited{most: 4 << 10}
	run.Stdout, run.Stderr = out, said
	// How it ended does not matter if it has said all: it may be reaped with the orphans
	// of workers, and then nobody knows.
	err = run.Run()
	if text, whole := bytes.CutSuffix(out.text, []byte(expositionEnd)); whole {
		return text, nil
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it took longer than %v", expositionLimit)
	case out.over:
		return nil, errTooMuch
	case len(said.text) > 0:
		return nil, errors.New(lastLine(string(said.text)))
	case err == nil:
		err = errors.New("it ended before it had said all")
	}
	return nil, err
}

// limited keeps so many bytes, and fails for whoever writes more.
type limited struct {
	text []byte
	most int
	over bool
}

// Write keeps p.
func (l *limited) Write(p []byte) (int, error) {
	if len(l.text)+len(p) > l.most {
		l.over = true
		return 0, errTooMuch
	}
	l.text = append(l.text, p...)
	return len(p), nil
}

// markDead takes away the gauges of live workers that a dead one has kept, as
// prometheus_client's mark_process_dead does. A configuration that has child_exit does so
// there, as Gunicorn's users are told to.
func (m *master) markDead(w *worker, d *pool.Death) {
	p := w.gen.plan
	dir := variable(applicationEnv(m.cfg.Env, p.settings.RawEnv()), multiprocVariable)
	if dir == "" || d.PID == 0 || slices.Contains(p.hooks, "child_exit") {
		return
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(p.dir, dir)
	}
	go removeLive(dir, d.PID) // a file system may take its time
}

// removeLive removes those files.
func removeLive(dir string, pid int) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there are none, or they are not ours to see: so it was without us
	}
	end := fmt.Sprintf("_%d.db", pid)
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, "gauge_live") && strings.HasSuffix(name, end) {
			_ = os.Remove(filepath.Join(dir, name)) // gone already, or not ours to remove
		}
	}
}
