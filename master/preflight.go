package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
	"github.com/indrik/indrik/proc"
)

// PreflightVariable names the descriptor on which a preflight answers. Its presence
// tells one from a person who wants to serve a module of that name.
const PreflightVariable = "INDRIK_PREFLIGHT"

// printLimit bounds what is kept of what a preflight prints, in bytes.
const printLimit = 64 << 10

// errPreflight reports that the binary on disk will not do: nothing was changed.
var errPreflight = errors.New("the new binary was not executed")

// verdict is what a preflight answers, as the text of a JSON object in a message
// ("preflight", text). Readers pass over fields they do not know.
type verdict struct {
	Version string `json:"version"` // of the program
	// Oldest and Newest are the versions of the state that it reads.
	Oldest int    `json:"oldest"`
	Newest int    `json:"newest"`
	Error  string `json:"error"` // why it cannot serve; "" if it can
}

// Preflight does as much of a start as disturbs nobody, and says on the channel
// whether the service could go on with this binary: it reads the configuration with
// cfg.Read and the certificates, enters the working directory, and with preload_app
// loads the application in a mold. The channel belongs to it from then on.
//
// The error is that it could not be said.
func Preflight(ctx context.Context, cfg Config, channel int) error {
	to, err := dispatch.NewChannel(channel, "master")
	if err != nil {
		return err
	}
	defer to.Close() // SEQPACKET keeps what was sent
	m := newMaster(cfg)
	defer m.release()
	v := verdict{Version: cfg.Version, Oldest: oldestState, Newest: stateVersion}
	if err := m.preflight(ctx); err != nil {
		v.Error = err.Error()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return to.Send(dispatch.Tuple{"preflight", string(text)})
}

func (m *master) preflight(ctx context.Context) error {
	found, err := m.cfg.Read()
	if err != nil {
		return err
	}
	m.cfg.Settings, m.cfg.Script = found.Settings, found.Script
	s, hooks, err := m.begin(ctx)
	if err != nil {
		return err
	}
	p, err := m.outline(s, m.cfg.Script, hooks)
	if err == nil {
		err = m.planLogs(p)
	}
	if err == nil {
		_, err = m.readTLS(p)
	}
	if err != nil || !s.PreloadApp() {
		return err
	}
	c, err := m.checkMold(p)
	if err != nil {
		return err
	}
	defer m.dismiss(c)
	return m.checkApplication(ctx, p, c)
}

// tryBinary starts a preflight of the binary that is on disk. The loop goes on; the
// outcome is a fact.
func (m *master) tryBinary() {
	r := &m.reload
	r.limit = time.Now().Add(m.preflightLimit())
	var err error
	if m.path == "" {
		err = errNoBinary
	} else {
		err = m.startTrial()
	}
	if err != nil {
		m.refuse(fmt.Errorf("%w: %w", errPreflight, err))
	}
}

// preflightLimit is how long the run of a configuration file may take, and the import
// of the application.
func (m *master) preflightLimit() time.Duration { return scriptLimit + m.gen.patience() }

// startTrial starts the preflight with the arguments and the environment of this
// process, but for what systemd says to the main process alone.
func (m *master) startTrial() error {
	r := &m.reload
	place := channelPlace(m.cfg.Keep)
	said, prints, err := newPrinted()
	if err != nil {
		return err
	}
	defer prints.Close() // the child has its own
	// Two arguments that are no options: a binary that knows no preflight refuses them
	// instead of serving a module of that name.
	argv := append([]string{m.cfg.Args[0], "preflight", strconv.Itoa(stateVersion)}, m.cfg.Args[1:]...)
	c, err := startChild(program{
		name: "preflight", path: m.path, argv: argv, dir: m.home,
		env:    append(activation.Unset(m.cfg.Env), PreflightVariable+"="+strconv.Itoa(place)),
		stdout: prints, stderr: prints, place: place, keep: m.cfg.Keep, also: said.all, group: true,
	}, m.post)
	if err != nil {
		return err
	}
	r.trial, r.printed = c, said
	m.log.Debug("preflight started", "pid", c.pid, "path", m.path)
	return nil
}

// channelPlace is a number for the channel that no descriptor has that is kept.
func channelPlace(keep []int) int {
	place := 3
	for _, fd := range keep {
		place = max(place, fd+1)
	}
	return place
}

// trialSaid hears the preflight's answer.
func (m *master) trialSaid(msg dispatch.Tuple) {
	v := &verdict{}
	if word(msg) != "preflight" || json.Unmarshal([]byte(text(msg, 1)), v) != nil {
		m.log.Error("preflight not understood", "message", word(msg))
		return
	}
	m.reload.verdict = v
}

// trialEnded goes on with the exec if all is well.
func (m *master) trialEnded(exit pool.Exit) {
	r := &m.reload
	m.killTrialMold(r.trial.pid)
	r.trial.hangUp()
	r.trial = nil
	if r.step != checking || m.stage == stopping {
		return
	}
	if reason := r.objection(exit); reason != "" {
		m.refuse(&bootFailure{kind: errPreflight, what: "try " + m.path, reason: reason, text: r.printed.text()})
		return
	}
	m.log.Debug("preflight passed", "version", r.verdict.Version)
	r.limit = time.Now().Add(quietLimit)
	if m.kept != nil { // it does not live through an exec, and has its time to finish what it holds
		r.limit = r.limit.Add(m.kept.plan.settings.GracefulTimeout())
		m.letKeptGo("the binary is exchanged")
	}
	m.move(approved)
}

// killTrialMold kills what a preflight left behind that was killed itself: its mold may be
// in the middle of an import, and would not find the end of its channel before that is over.
// It is our child since then, so that its number is its own.
func (m *master) killTrialMold(group int) {
	for _, pid := range proc.Children(m.cfg.PID) {
		if k, there := proc.LookUp(pid); there && !k.Zombie && k.Group == group && !m.knows(pid) {
			m.log.Debug("mold of the preflight killed", "pid", pid)
			m.gen.stray(pid)
		}
	}
}

// objection is why the new binary cannot take over; "" if it can.
func (r *reload) objection(exit pool.Exit) string {
	v := r.verdict
	switch {
	case v == nil:
		reason := desk.Ending(exit)
		if last := lastLine(r.printed.text()); last != "" {
			reason += ", saying: " + last
		}
		return reason
	case v.Error != "":
		return v.Error
	case exit.Status != 0:
		return desk.Ending(exit)
	}
	if err := canRead(stateVersion, v.Oldest, v.Newest); err != nil {
		return fmt.Sprintf("version %s cannot read the state of this one: %v", v.Version, err)
	}
	return ""
}

// printed is what a child printed, the beginning of it.
type printed struct {
	mu   sync.Mutex
	kept strings.Builder
	all  chan struct{} // closed when nobody can print any more
}

// newPrinted returns also the file to print to, which is the caller's.
func newPrinted() (*printed, *os.File, error) {
	// Not os.Pipe, whose writing end would be non-blocking for the child.
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	_ = syscall.SetNonblock(ends[0], true) // for the poller; it cannot fail for a pipe
	from, to := os.NewFile(uintptr(ends[0]), "printed"), os.NewFile(uintptr(ends[1]), "prints")
	p := &printed{all: make(chan struct{})}
	go func() {
		defer close(p.all)
		defer from.Close()      // read side
		_, _ = io.Copy(p, from) // whatever ends it: no more will come
	}()
	return p, to, nil
}

// Write keeps what there is room for.
func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.Write(text[:min(len(text), printLimit-p.kept.Len())])
	return len(text), nil
}

func (p *printed) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept.String()
}
