package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/testproc"
)

func TestMain(m *testing.M) {
	testproc.Main(m, testproc.Parts{
		// A process that says what it is told of itself each time it is asked.
		"witness": func() int {
			for lines := bufio.NewScanner(testproc.File(0)); lines.Scan(); {
				g, err := Delegated("master", false)
				fmt.Fprintf(testproc.File(1), "%s|%v|%d\n", filepath.Base(g.Dir()), err, Processors())
			}
			return 0
		},
	})
}

// base makes a group for a test in the hierarchy of this machine, or skips.
func base(t *testing.T) Group {
	t.Helper()
	own, err := Own()
	if err != nil {
		t.Skipf("no control groups here: %v", err)
	}
	g, err := own.Make(fmt.Sprintf("indrik-test.%d.%s", os.Getpid(), t.Name()))
	if err != nil {
		t.Skipf("control groups cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			t.Errorf("clean up: %v", err)
		}
		within(t, "the test's group is empty", func() bool {
			populated, err := g.Populated()
			return err == nil && !populated
		})
		for _, name := range []string{"master", "worker-0-1-7", ""} {
			if err := g.Child(name).Remove(); err != nil {
				t.Errorf("clean up: %v", err)
			}
		}
	})
	return g
}

func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	// The kernel announces it in cgroup.events, but for one test's wait a look will do.
	for limit := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// What a worker leaves behind must be found and ended, whatever it did to get away.
func TestKillReachesWhatWasLeftBehind(t *testing.T) {
	g := base(t)
	worker, err := g.Make("worker-0-1-7")
	if err != nil {
		t.Fatal(err)
	}
	// A shell that puts a grandchild into a session of its own and ends.
	shell := exec.Command("sh", "-c", "read go; setsid sleep 600 >/dev/null 2>&1 & exit 0")
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	if err := worker.Add(shell.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if pids, err := worker.Processes(); err != nil || !slices.Equal(pids, []int{shell.Process.Pid}) {
		t.Errorf("processes: got %v, %v, want %d", pids, err, shell.Process.Pid)
	}
	fmt.Fprintln(stdin)
	if err := shell.Wait(); err != nil {
		t.Fatal(err)
	}
	if populated, err := worker.Populated(); err != nil || !populated {
		t.Errorf("populated: got %v, %v, want the grandchild in it", populated, err)
	}
	if err := worker.Remove(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("remove a group that is not empty: got %v, want EBUSY", err)
	}
	if err := worker.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, "the group can be removed", func() bool { return worker.Remove() == nil })
	if err := worker.Remove(); err != nil {
		t.Errorf("remove it once more: got %v, want nil", err)
	}
	if err := worker.Kill(); err == nil {
		t.Error("a group that is gone was killed")
	}
}

// The numbers are what an operator decides by: a missing one must not look like 0.
func TestUsageOfABusyGroup(t *testing.T) {
	g := base(t)
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Wait() }) // killed with the group, before
	t.Cleanup(func() { _ = busy.Process.Kill() })
	if err := g.Add(busy.Process.Pid); err != nil {
		t.Fatal(err)
	}
	within(t, "processor time is counted", func() bool {
		u, err := g.Usage()
		return err == nil && u.CPU > 0
	})
	u, err := g.Usage()
	if err != nil {
		t.Fatal(err)
	}
	_, controller := os.Stat(g.path("memory.current"))
	if controller == nil && u.Memory <= 0 || controller != nil && u.Memory != Unknown {
		t.Errorf("memory: got %d; memory.current: %v", u.Memory, controller)
	}
	if _, err := g.Child("none").Usage(); err == nil {
		t.Error("a group that does not exist has numbers")
	}
	if _, err := MachinePressure(CPU); err == nil && u.CPUPressure == nil {
		t.Error("the machine tells pressure, the group none")
	}
	if err := g.Freeze(true); err != nil {
		t.Fatal(err)
	}
	within(t, "the group is frozen", func() bool { n, err := g.count("cgroup.events", "frozen"); return err == nil && n == 1 })
	if err := g.Kill(); err != nil { // a frozen process can be killed
		t.Fatal(err)
	}
	if err := busy.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
}

func TestPressureIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpu.pressure")
	const text = "some avg10=12.50 avg60=4.33 avg300=11.52 total=9505121623\nfull avg10=1.00 avg60=0.00 avg300=0.25 total=7\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := readPressure(file)
	if err != nil || p.Some != (Share{12.5, 4.33, 11.52, 9505121623 * time.Microsecond}) || p.Full != (Share{1, 0, 0.25, 7 * time.Microsecond}) {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := readPressure(file + "x"); !errors.Is(err, ErrNoPressure) {
		t.Errorf("no such file: got %v, want ErrNoPressure", err)
	}
	if err := os.WriteFile(file, []byte("some avg10=x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := readPressure(file); err == nil {
		t.Errorf("nonsense was read: %+v", p)
	}
}

// Only what systemd marked may be divided; and a master that has moved into its
// part finds the same group again after it executed itself anew.
func TestOnlyWhatIsDelegatedIsFound(t *testing.T) {
	g := base(t)
	leaf, err := g.Make("master")
	if err != nil {
		t.Fatal(err)
	}
	askRead, ask := pipe(t)
	answer, answerWrite := pipe(t)
	cmd := testproc.Start(t, "witness", askRead, answerWrite)
	answers := bufio.NewScanner(answer)
	says := func() (name, err, processors string) {
		t.Helper()
		fmt.Fprintln(ask)
		if !answers.Scan() {
			t.Fatalf("the witness says nothing more: %v", answers.Err())
		}
		part := strings.SplitN(answers.Text(), "|", 3)
		return part[0], part[1], part[2]
	}
	name := filepath.Base(g.Dir())
	if err := g.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if got, err, _ := says(); err != ErrNotDelegated.Error() {
		t.Errorf("without a mark: got %q, %v, want %v", got, err, ErrNotDelegated)
	}
	if err := unix.Setxattr(g.Dir(), "user.delegate", []byte("1"), 0); err != nil {
		t.Skipf("this kernel keeps no attributes of control groups: %v", err)
	}
	if got, err, _ := says(); got != name || err != "<nil>" {
		t.Errorf("with the mark: got %q, %v, want %q", got, err, name)
	}
	if err := leaf.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	got, problem, processors := says()
	if got != name || problem != "<nil>" {
		t.Errorf("in its part: got %q, %v, want %q", got, problem, name)
	}
	if want := fmt.Sprint(runtime.NumCPU()); processors != want {
		if n := Processors(); fmt.Sprint(n) != processors { // this machine has a limit of its own
			t.Errorf("processors: got %s, want %s or %d", processors, want, n)
		}
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}
