package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// bootLimit is how long systemd may take to reach lab.target; it takes two
	// seconds on an idle machine with two cores.
	bootLimit = 90 * time.Second
	// poweroffLimit is how long an orderly shutdown may take before the lab is
	// simply killed.
	poweroffLimit = 20 * time.Second
	// poweroffSignal asks systemd to power off: SIGRTMIN+4, see systemd(1).
	poweroffSignal = syscall.Signal(34 + 4)
)

// A Lab is a booted systemd. Its methods may be called from several goroutines
// at once, except Close, which must come last.
type Lab struct {
	keeper  *exec.Cmd
	line    *os.File // life line: the keeper leaves when it is closed
	facts   *json.Decoder
	factsIn *os.File
	groups  []string // control groups made for this lab, removed by Close
	console *os.File // what nspawn and systemd printed; unlinked
	leader  int      // systemd's pid as the host sees it
}

// Start boots a systemd and returns when it has reached its default target.
// The context limits the boot only. It fails if [Missing] would, if the boot
// takes longer than 90 seconds, and with the console's last words if nspawn ends.
func Start(ctx context.Context) (*Lab, error) {
	if err := Missing(); err != nil {
		return nil, err
	}
	groups, err := makeGroups()
	if err != nil {
		return nil, fmt.Errorf("make control groups for the lab: %w", err)
	}
	l := &Lab{groups: groups}
	if err := l.boot(ctx); err != nil {
		said := l.Console()
		_ = l.Close() // the boot's own error says more
		return nil, fmt.Errorf("boot systemd in the lab: %w\n%s", err, said)
	}
	return l, nil
}

// boot starts the keeper and follows its facts until systemd is up.
func (l *Lab) boot(ctx context.Context) error {
	console, err := unlinkedFile()
	if err != nil {
		return err
	}
	l.console = console
	if err := l.startKeeper(); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	stop := context.AfterFunc(limit, func() { _ = l.line.Close() }) // ends the facts with end of file
	defer stop()

	inner := 0
	for {
		var f fact
		if err := l.facts.Decode(&f); err != nil {
			return fmt.Errorf("keeper ended before systemd was up: %w", errors.Join(err, limit.Err()))
		}
		switch {
		case f.Failed != "":
			return errors.New(f.Failed)
		case f.Leader != 0:
			inner = f.Leader
		case f.Ready:
			l.leader, err = hostPID(l.keeper.Process.Pid, inner)
			return err
		}
	}
}

// startKeeper runs this binary again as PID 1 of its own pid and mount
// namespaces. It gets its own session, so that a Ctrl-C on the terminal reaches
// the test process alone, which then closes the life line by ending.
func (l *Lab) startKeeper() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	project, err := Project()
	if err != nil {
		return err
	}
	order, err := json.Marshal(keeperOrder{Groups: l.groups, Project: project})
	if err != nil {
		return err
	}
	lineOut, lineIn, err := os.Pipe()
	if err != nil {
		return err
	}
	factsOut, factsIn, err := os.Pipe()
	if err != nil {
		return errors.Join(err, lineOut.Close(), lineIn.Close())
	}
	l.line, l.factsIn = lineIn, factsOut
	l.facts = json.NewDecoder(factsOut)
	l.keeper = exec.Command(exe)
	l.keeper.Env = []string{keeperEnv + "=" + string(order), "PATH=" + searchPath, "LANG=C.UTF-8"}
	l.keeper.Dir = "/"
	l.keeper.Stdin, l.keeper.Stdout, l.keeper.Stderr = lineOut, l.console, l.console
	l.keeper.ExtraFiles = []*os.File{factsIn}
	l.keeper.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
	}
	err = l.keeper.Start()
	_ = lineOut.Close() // the keeper's ends
	_ = factsIn.Close()
	if err != nil {
		l.keeper = nil
		return fmt.Errorf("start keeper: %w", err)
	}
	return nil
}

// Leader is the pid, as the host sees it, of the systemd inside.
func (l *Lab) Leader() int { return l.leader }

// Close powers the machine off, or kills it when that takes more than 20
// seconds, and removes what it left on the host. It must be called once, after
// everything that uses the lab.
func (l *Lab) Close() error {
	var errs []error
	if l.keeper != nil {
		errs = append(errs, l.end())
	}
	if l.factsIn != nil {
		_ = l.factsIn.Close() // read side; nothing to lose
	}
	if l.console != nil {
		_ = l.console.Close() // unlinked; nothing to lose
	}
	for _, g := range l.groups {
		errs = append(errs, removeGroup(g))
	}
	return errors.Join(errs...)
}

// end asks systemd to leave and waits for the keeper. The kernel reports the
// keeper's end only after every process of its pid namespace is gone.
func (l *Lab) end() error {
	gone := make(chan error, 1)
	go func() { gone <- l.keeper.Wait() }()
	if l.leader != 0 {
		_ = syscall.Kill(l.leader, poweroffSignal) // ESRCH: it is off already
	} else {
		_ = l.line.Close()
	}
	late := time.NewTimer(poweroffLimit)
	defer late.Stop()
	select {
	case err := <-gone:
		_ = l.line.Close()
		if l.leader == 0 {
			return nil // never came up: its exit status is no news
		}
		if err != nil {
			return fmt.Errorf("power off the lab: keeper: %w", err)
		}
		return nil
	case <-late.C:
		_ = l.line.Close()
		<-gone
		return fmt.Errorf("power off the lab: still running after %v, killed", poweroffLimit)
	}
}

// Console returns the last 8 KiB of what nspawn and the booting systemd printed.
func (l *Lab) Console() string {
	if l.console == nil {
		return ""
	}
	const most = 8 << 10
	st, err := l.console.Stat()
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, most)
	n, _ := l.console.ReadAt(buf, max(0, st.Size()-most)) // a short read is the end of the file
	return strings.ToValidUTF8(string(buf[:n]), "?")
}

// unlinkedFile makes a file that vanishes with its last descriptor.
func unlinkedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "indrik-lab-console-*")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
