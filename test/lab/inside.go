package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// CommandError is a command inside the lab that did not exit with status 0.
type CommandError struct {
	Command []string
	Status  int    // exit status, or -1 if a signal ended it
	Output  string // what it wrote to standard output, then what to standard error
	Err     error
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("run %s in the lab: %v\n%s", strings.Join(e.Command, " "), e.Err, e.Output)
}

// Unwrap gives the error of os/exec.
func (e *CommandError) Unwrap() error { return e.Err }

// Run runs a command inside the lab, as root in all of its namespaces, and
// returns its standard output. A command that fails gives a *CommandError.
func (l *Lab) Run(ctx context.Context, command ...string) (string, error) {
	var out, complaints bytes.Buffer
	cmd := l.Command(ctx, command...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		status := -1
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		return out.String(), &CommandError{Command: command, Status: status, Output: out.String() + complaints.String(), Err: err}
	}
	return out.String(), nil
}

// Command prepares a command that will run inside the lab. The caller owns it.
// It enters every namespace of the leader by nsenter(1); its control group
// stays outside, so stopping a unit never ends it.
func (l *Lab) Command(ctx context.Context, command ...string) *exec.Cmd {
	args := []string{
		"--target", strconv.Itoa(l.leader),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--",
	}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, command...)...)
	cmd.Env = []string{"PATH=" + searchPath, "LANG=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", "HOME=/root"}
	// nsenter forks to enter the pid namespace: both must go when ctx ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// path is where the host sees a file of the lab. An absolute symbolic link on
// the way would lead out of the lab, so callers name real directories.
func (l *Lab) path(inside string) string {
	return filepath.Join("/proc", strconv.Itoa(l.leader), "root", inside)
}

// WriteFile writes a file of the lab, making its directory (0755) if need be.
// It replaces what is there; a program that runs from the old file is not disturbed.
func (l *Lab) WriteFile(name string, data []byte, mode fs.FileMode) error {
	at := l.path(name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return fmt.Errorf("write %s in the lab: %w", name, err)
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace %s in the lab: %w", name, err)
	}
	if err := os.WriteFile(at, data, mode); err != nil {
		return fmt.Errorf("write %s in the lab: %w", name, err)
	}
	return os.Chmod(at, mode) // whatever the umask
}

// CopyFile copies a file of the host into the lab with the given mode.
func (l *Lab) CopyFile(host, inside string, mode fs.FileMode) error {
	data, err := os.ReadFile(host)
	if err != nil {
		return fmt.Errorf("copy into the lab: %w", err)
	}
	return l.WriteFile(inside, data, mode)
}

// CopyTree copies the regular files below a directory of the host into the
// lab, readable by everybody.
func (l *Lab) CopyTree(host, inside string) error {
	return filepath.WalkDir(host, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(host, path)
		if err != nil {
			return err
		}
		return l.CopyFile(path, filepath.Join(inside, rel), 0o644)
	})
}

// Remove removes a file of the lab. A file that is not there is no error.
func (l *Lab) Remove(name string) error {
	if err := os.Remove(l.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s in the lab: %w", name, err)
	}
	return nil
}

// hostPID finds the pid that the host gives to the process which the keeper's
// pid namespace calls inner: a grandchild of the keeper, and PID 1 further in.
func hostPID(keeper, inner int) (int, error) {
	for _, nspawn := range childrenOf(keeper) {
		for _, pid := range childrenOf(nspawn) {
			pids := namespacePIDs(pid)
			if n := len(pids); n >= 2 && pids[n-1] == "1" && pids[n-2] == strconv.Itoa(inner) {
				return pid, nil
			}
		}
	}
	return 0, fmt.Errorf("find the lab's systemd: pid %d of the keeper's namespace is not among the keeper's grandchildren", inner)
}

// childrenOf lists the children of a process, of whichever of its threads.
func childrenOf(pid int) []int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil // only a malformed pattern fails
	}
	var pids []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(field); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// namespacePIDs returns the pids of a process, outermost namespace first; see
// NSpid in proc(5).
func namespacePIDs(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil // it ended
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}
