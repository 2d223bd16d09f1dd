package testproc

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Start runs a part as a child that cannot outlive the test. The part finds
// files with [File], in this order; they stay the caller's. Do not pass the
// File of a listener: os/exec would make the socket blocking for everybody.
//
// Call it on the test's goroutine; elsewhere use [TryStart].
func Start(t testing.TB, part string, files ...*os.File) *exec.Cmd {
	t.Helper()
	cmd, err := TryStart(t, part, files...)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TryStart is Start for any goroutine, as long as the test has not ended.
//
// The child may be reaped by somebody else (that is what package pool is
// tested for); otherwise the end of the test does it.
func TryStart(t testing.TB, part string, files ...*os.File) (*exec.Cmd, error) {
	said := new(record)
	cmd, line, err := begin(part, said, files...)
	if err != nil {
		return nil, err
	}
	pid := cmd.Process.Pid // Release forgets it
	t.Cleanup(func() {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // ESRCH: the whole group is gone
		_ = cmd.Wait()                          // killed, or reaped by somebody else
		_ = cmd.Process.Release()               // Wait keeps the pidfd if somebody else reaped
		_ = line.Close()                        // nothing was written to it
		if t.Failed() {
			t.Logf("part %q, pid %d, said:\n%s", part, pid, said)
		}
	})
	return cmd, nil
}

// begin starts the part and returns our end of its life line.
func begin(part string, said *record, files ...*os.File) (*exec.Cmd, *os.File, error) {
	if err := played(part); err != nil {
		return nil, nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("start part %q: %w", part, err)
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start part %q: %w", part, err)
	}
	defer func() { _ = theirs.Close() }() // the child has its own
	cmd := exec.Command(exe)
	cmd.Env = environ(part)
	cmd.ExtraFiles = append([]*os.File{theirs}, files...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = 5 * time.Second // for a descendant that left the group and holds our pipe
	if err := cmd.Start(); err != nil {
		_ = ours.Close() // nothing was written to it
		return nil, nil, fmt.Errorf("start part %q: %w", part, err)
	}
	return cmd, ours, nil
}

// Fork starts another part from inside a part, in its process group and on
// its life line. The new process gets files like the child of [Start].
func Fork(part string, files ...*os.File) (*os.Process, error) {
	if err := played(part); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("fork part %q: %w", part, err)
	}
	// A duplicate, because the owner of descriptor 3 is followLifeLine and an
	// os.File closes what it owns when it is collected.
	fd, err := unix.FcntlInt(lifeLine, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("fork part %q: %w", part, err)
	}
	line := os.NewFile(uintptr(fd), "life line")
	defer func() { _ = line.Close() }() // the child has its own
	child, err := os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Env:   environ(part),
		Files: append([]*os.File{os.Stdin, os.Stdout, os.Stderr, line}, files...),
	})
	if err != nil {
		return nil, fmt.Errorf("fork part %q: %w", part, err)
	}
	return child, nil
}

// environ is our environment with the part in it, once: of two entries Go
// takes the first, so a part that forks another would fork itself for ever.
//
// Under -race a process sleeps a second when it exits, to let other threads
// report; a part that ends in time must not be late for that.
func environ(part string) []string {
	const race = "GORACE"
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, partEnv+"=") || strings.HasPrefix(entry, race+"=")
	})
	options := strings.TrimSpace(os.Getenv(race) + " atexit_sleep_ms=0")
	return append(env, partEnv+"="+part, race+"="+options)
}

// File is the nth file given to the part that calls it, from 0. Call it once
// for each: every call makes a new owner of the same descriptor.
func File(n int) *os.File {
	return os.NewFile(uintptr(firstFile+n), fmt.Sprintf("file %d of the part", n))
}

// recordLimit bounds what is kept of what a part wrote.
const recordLimit = 64 << 10

// record keeps the beginning of what was written to it.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write never fails: a part must not be stopped by having said too much.
func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := recordLimit - r.text.Len(); room > 0 {
		r.text.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
