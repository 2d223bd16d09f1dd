package hosting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"time"
)

// undoLimit bounds taking back what a failed setup did, also when the caller's
// context has ended. Stopping an instance drains it, for 30 s by default.
const undoLimit = time.Minute

// generated is the drop-in that the generator makes of a file with a [unit] table.
const generated = "50-unit.conf"

// carryOut does the steps in order. After an error the ones before are taken back.
func carryOut(ctx context.Context, steps []step, tell func(string)) error {
	for n, st := range steps {
		if err := ctx.Err(); err != nil {
			return errors.Join(context.Cause(ctx), takeBack(ctx, steps[:n]))
		}
		tell(st.text)
		if err := st.do(ctx); err != nil {
			return errors.Join(err, takeBack(ctx, steps[:n]))
		}
	}
	return nil
}

func takeBack(ctx context.Context, steps []step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	var errs []error
	for _, st := range slices.Backward(steps) {
		if st.undo == nil {
			continue
		}
		if err := st.undo(ctx); err != nil {
			errs = append(errs, fmt.Errorf("take back %q: %w", st.text, err))
		}
	}
	return errors.Join(errs...)
}

func (s Site) setup(m Manager) []step {
	var before *saved
	steps := []step{{
		text: "write " + s.File,
		do: func(context.Context) (err error) {
			before, err = write(s.File, append([]byte(Mark), s.Text...), s.Replace)
			return err
		},
		undo: func(ctx context.Context) error { return errors.Join(before.restore(), m.Reload(ctx)) },
	}, call(func(ctx context.Context) error { return s.load(ctx, m) }, "Reload")}

	changed := false
	enable := call(func(ctx context.Context) (err error) {
		changed, err = m.Enable(ctx, s.enabled())
		return err
	}, "EnableUnitFiles", s.enabled())
	enable.undo = func(ctx context.Context) error {
		if !changed {
			return nil
		}
		return m.Disable(ctx, s.Socket(), s.Service())
	}
	steps = append(steps, enable)
	if s.Idle {
		return steps
	}
	steps = append(steps, s.start(m, s.Socket()))
	if s.Boot {
		steps = append(steps, s.start(m, s.Service()))
	}
	return steps
}

// load has systemd read the new file and looks whether it did: where the generator
// is not installed the units would serve with a table that nobody read.
func (s Site) load(ctx context.Context, m Manager) error {
	if err := m.Reload(ctx); err != nil {
		return err
	}
	for _, unit := range []string{s.Socket(), s.Service()} {
		known, err := m.Look(ctx, unit)
		switch {
		case err != nil:
			return err
		case !known.Loaded:
			return fmt.Errorf("systemd has no unit for %s: install Indrik's package, or `make install`, which bring it", unit)
		case !slices.ContainsFunc(known.DropIns, func(p string) bool { return path.Base(p) == generated }):
			return fmt.Errorf("the generator made nothing of %s for %s: install Indrik's package, or `make install`, which bring it; journalctl -k has its errors", s.File, unit)
		}
	}
	return nil
}

// start starts a unit, and takes that back only if it did not run before.
func (s Site) start(m Manager, unit string) step {
	ran := false
	st := call(func(ctx context.Context) error {
		known, err := m.Look(ctx, unit)
		if err != nil {
			return err
		}
		ran = known.Running
		if err := m.Start(ctx, unit); err != nil {
			// It may be on its way up again (Restart=), or hold its socket.
			return errors.Join(err, takeBack(ctx, []step{{text: "start " + unit, undo: stopper(m, unit, ran)}}))
		}
		return nil
	}, "StartUnit", unit)
	st.undo = func(ctx context.Context) error { return stopper(m, unit, ran)(ctx) }
	return st
}

// stopper stops what did not run before, and forgets its failure.
func stopper(m Manager, unit string, ran bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if ran {
			return nil
		}
		return errors.Join(m.Stop(ctx, unit), m.Forget(ctx, unit))
	}
}

// remove has the file go before anything is stopped: what its [unit] table has
// started would else come back at once.
func (s Site) remove(m Manager) []step {
	steps := []step{call(func(ctx context.Context) error { return m.Disable(ctx, s.Socket(), s.Service()) },
		"DisableUnitFiles", s.Socket(), s.Service())}
	if !s.Keep {
		steps = append(steps, step{text: "delete " + s.File, do: func(context.Context) error { return remove(s.File) }})
	}
	steps = append(steps, call(func(ctx context.Context) error { return m.Reload(ctx) }, "Reload"))
	// The socket first: a client would else start the service again.
	for _, unit := range []string{s.Socket(), s.Service()} {
		steps = append(steps, call(func(ctx context.Context) error { return m.Stop(ctx, unit) }, "StopUnit", unit))
	}
	for _, unit := range []string{s.Socket(), s.Service()} {
		steps = append(steps, call(func(ctx context.Context) error { return m.Forget(ctx, unit) }, "ResetFailedUnit", unit))
	}
	for _, dir := range s.Caches {
		if _, err := os.Lstat(dir); err == nil {
			steps = append(steps, step{text: "delete " + dir, do: func(context.Context) error { return os.RemoveAll(dir) }})
		}
	}
	return steps
}
