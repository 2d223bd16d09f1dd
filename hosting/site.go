package hosting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Mark is the first line of every file that Setup writes; Remove deletes no other.
const Mark = "# Written by indrik setup; edit it as you like. `indrik remove` deletes it.\n"

// ErrExists says that the name is taken.
var ErrExists = errors.New("there is such a file already")

// ErrNotOurs says that a file was written by somebody else.
var ErrNotOurs = errors.New("indrik setup did not write this file")

// ErrNone says that there is nothing of that name.
var ErrNone = errors.New("there is no such file and no such unit is enabled or running")

// A Site is one application hosted under a name.
type Site struct {
	Name    string
	File    string // absolute path of its configuration
	Text    []byte // of the file; what is before it is Mark
	Boot    bool   // the machine's start starts the service, and not only the first connection
	Idle    bool   // enable only: nothing is started now
	Replace bool   // overwrite the file, or delete one that is not ours
	Keep    bool   // leave the file when the site is removed

	// Caches are directories of the service that Remove deletes: what is in them can be
	// made again (CacheDirectory= in systemd.exec(5)).
	Caches []string
}

// Socket is the name of the unit that listens.
func (s Site) Socket() string { return "indrik@" + s.Name + ".socket" }

// Service is the name of the unit that serves.
func (s Site) Service() string { return "indrik@" + s.Name + ".service" }

// enabled is the unit that is enabled; the service brings its socket along (Also=).
func (s Site) enabled() string {
	if s.Boot {
		return s.Service()
	}
	return s.Socket()
}

// A Manager is what is asked of systemd. Each call returns when it has been carried
// out, or with an error that says why not.
type Manager interface {
	Reload(ctx context.Context) error
	// Enable reports whether that changed anything.
	Enable(ctx context.Context, unit string) (bool, error)
	Disable(ctx context.Context, units ...string) error
	Start(ctx context.Context, unit string) error
	// Stop of a unit that is not running is no error.
	Stop(ctx context.Context, unit string) error
	// Forget forgets that a unit failed.
	Forget(ctx context.Context, unit string) error
	// Look reads what is known of a unit; one that nobody knows is not Loaded.
	Look(ctx context.Context, unit string) (State, error)
}

// State is a unit as systemd sees it.
type State struct {
	Loaded  bool     // its file was found and read
	Running bool     // active, or on the way there
	Enabled bool     // somebody wants it
	DropIns []string // paths of what was added to its file
}

// Setup hosts a site and reports whether its units ran before, with what they were
// started with: then only a restart puts the new file in force. Each step is told
// before it is done. An error leaves things as they were.
func Setup(ctx context.Context, m Manager, s Site, tell func(string)) (ran bool, err error) {
	var known State
	for _, unit := range []string{s.Service(), s.Socket()} {
		if known, err = m.Look(ctx, unit); err != nil {
			return false, err
		}
		ran = ran || known.Running
	}
	return ran, carryOut(ctx, s.setup(m), tell)
}

// Remove takes a site away. Each step is told before it is done; an error ends it
// there, and it can be called again.
func Remove(ctx context.Context, m Manager, s Site, tell func(string)) error {
	if err := s.Removable(); errors.Is(err, fs.ErrNotExist) {
		if err := s.trace(ctx, m); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return carryOut(ctx, s.remove(m), tell)
}

// trace is ErrNone if systemd knows nothing of the site either.
func (s Site) trace(ctx context.Context, m Manager) error {
	for _, unit := range []string{s.Service(), s.Socket()} {
		if known, err := m.Look(ctx, unit); err != nil || known.Running || known.Enabled {
			return err
		}
	}
	return fmt.Errorf("%s: %w", s.File, ErrNone)
}

// Removable is nil if Remove would delete or keep the file, ErrNotOurs, or what the
// file system says.
func (s Site) Removable() error {
	text, err := os.ReadFile(s.File)
	if err != nil {
		return fmt.Errorf("look at what to remove: %w", err)
	}
	if !s.Keep && !s.Replace && !bytes.HasPrefix(text, []byte(Mark)) {
		return fmt.Errorf("%s: %w", s.File, ErrNotOurs)
	}
	return nil
}

// Steps are what Setup would do, in order, as it would tell it.
func (s Site) Steps() []string { return texts(s.setup(nil)) }

// RemovalSteps are what Remove would do.
func (s Site) RemovalSteps() []string { return texts(s.remove(nil)) }

func texts(steps []step) []string {
	var all []string
	for _, st := range steps {
		all = append(all, st.text)
	}
	return all
}

// A step is one thing that is done, and how it is taken back.
type step struct {
	text string
	do   func(context.Context) error
	undo func(context.Context) error // nil if there is nothing to take back
}

// call is a step that asks something of systemd, told as D-Bus calls it.
func call(do func(context.Context) error, method string, units ...string) step {
	return step{text: "systemd: " + method + "(" + strings.Join(units, ", ") + ")", do: do}
}
