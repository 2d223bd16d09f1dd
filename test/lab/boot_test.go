package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A lab where some unit failed at boot tests something else than it seems to.
func TestBootLeavesNothingFailed(t *testing.T) {
	l := booted(t)
	out, err := l.Run(limited(t, 20*time.Second), "systemctl", "is-system-running")
	if err != nil || strings.TrimSpace(out) != "running" {
		failed, _ := l.Run(limited(t, 20*time.Second), "systemctl", "--failed", "--no-legend")
		t.Fatalf("got %q, %v, want running; failed units:\n%s", out, err, failed)
	}
}

// A command that fails must not look like one that worked.
func TestRunTellsStatusAndOutput(t *testing.T) {
	l := booted(t)
	out, err := l.Run(limited(t, 20*time.Second), "sh", "-c", "echo told; echo complained >&2; exit 7")
	var failed *CommandError
	if !errors.As(err, &failed) {
		t.Fatalf("got error %v, want a *CommandError", err)
	}
	if failed.Status != 7 || out != "told\n" || failed.Output != "told\ncomplained\n" {
		t.Errorf("got status %d, output %q and %q", failed.Status, out, failed.Output)
	}
}

// Nothing that a test writes into the lab may reach the host.
func TestWritesStayInside(t *testing.T) {
	l := booted(t)
	const name = "/etc/indrik-lab-probe"
	if err := l.WriteFile(name, []byte("inside"), 0o640); err != nil {
		t.Fatal(err)
	}
	out, err := l.Run(limited(t, 20*time.Second), "sh", "-c", "stat -c %a "+name+"; cat "+name)
	if err != nil || out != "640\ninside" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is on the host: %v", name, err)
	}
}

// The life line is what keeps machines clean when a test run is killed: neither
// processes nor mounts may outlive the process that owns the lab, and what
// control groups it leaves go with the next run.
func TestKilledOwnerLeavesNothing(t *testing.T) {
	need(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(exe)
	owner.Env = append(os.Environ(), ownerEnv+"=1")
	owner.Stderr = os.Stderr
	// It must stay alive until it is killed: it reads its standard input.
	line, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	said, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Process.Kill() }() // done already unless the test failed
	text, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatalf("owner did not boot a lab: %v", err)
	}
	fields := strings.Fields(text)
	keeper, leader := open(t, fields[0]), open(t, fields[1])

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // killed
	awaitExit(t, "keeper", keeper)
	awaitExit(t, "leader", leader)
	for _, group := range fields[2:] {
		sweep(filepath.Dir(group))
		if _, err := os.Lstat(group); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("control group is still there after a sweep: %s (%v)", group, err)
		}
	}
}

// open returns a pidfd, so that a number used again cannot deceive.
func open(t *testing.T, pid string) int {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		t.Fatalf("open pidfd of %d: %v", n, err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func awaitExit(t *testing.T, who string, pidfd int) {
	t.Helper()
	const limit = 20 * time.Second
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(limit); ; {
		n, err := unix.Poll(poll, int(time.Until(deadline).Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue // the runtime's own signals
		}
		if err != nil || n == 0 {
			t.Fatalf("%s has not ended %v after its owner was killed (%v)", who, limit, err)
		}
		return
	}
}

// playOwner boots a lab, says where it is, and waits to be killed.
func playOwner() int {
	l, err := Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.keeper.Process.Pid, l.leader, strings.Join(l.groups, " "))
	_, _ = io.Copy(io.Discard, os.Stdin) // the test killed this process, or itself ended
	_ = l.Close()
	return 0
}
