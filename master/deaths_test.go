package master

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

func TestWhereKillsForMemoryAreCounted(t *testing.T) {
	t.Parallel()
	for groups, want := range map[string][]string{
		"0::/system.slice/x.service\n": {"/sys/fs/cgroup/system.slice/x.service/memory.events"},
		"0::/x.service/master\n":       {"/sys/fs/cgroup/x.service/memory.events"},
		"5:cpu,cpuacct:/a\n4:memory:/a\n0::/b\n": {
			"/sys/fs/cgroup/memory/a/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/b/memory.events",
		},
		"nonsense": nil,
	} {
		if got := oomFiles(groups); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", groups, got, want)
		}
	}
}

// One kill that the kernel counted explains one death, and none that came long after.
func TestAKillForMemoryExplainsOneDeath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "memory.events")
	count := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	count("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\n")
	now := time.Now()
	k := &oomKills{path: path, count: 2}
	if k.take(now) {
		t.Error("a kill of before our time explains a death")
	}
	count("oom 4\noom_kill 3\n")
	if !k.take(now) || k.take(now) {
		t.Error("one kill does not explain one death")
	}
	count("oom 4\noom_kill 4\n")
	k.refresh(now.Add(2 * oomPeriod))
	if k.take(now.Add(2*oomPeriod + 2*oomFresh)) {
		t.Error("a kill explains a death long after")
	}
	if (*oomKills)(nil).take(now) {
		t.Error("who knows nothing knows a kill")
	}
}

// Only a SIGKILL that was not ours can have been the kernel's.
func TestExplainTellsTheKernelsKills(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "memory.events")
	if err := os.WriteFile(path, []byte("oom_kill 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newTestBoard(t)
	for _, c := range []struct {
		death pool.Death
		want  pool.Cause
	}{
		{pool.Death{Cause: pool.Signalled, Exit: pool.Exit{Signal: syscall.SIGSEGV}}, pool.Signalled},
		{pool.Death{Cause: pool.Overran, Exit: pool.Exit{Signal: syscall.SIGKILL}}, pool.Overran},
		{pool.Death{Cause: pool.Signalled, Exit: pool.Exit{Signal: syscall.SIGKILL}}, pool.OutOfMemory},
	} {
		g.explain(&c.death, &oomKills{path: path})
		if c.death.Cause != c.want {
			t.Errorf("%v: became %v, want %v", c.death.Exit.Signal, c.death.Cause, c.want)
		}
		if !slices.Contains(c.death.Facts, any("requests")) {
			t.Errorf("facts %v, want the requests that it held", c.death.Facts)
		}
	}
}

// Our own process has at least the memory that we touch.
func TestWeightOfAProcess(t *testing.T) {
	t.Parallel()
	const much = 32 << 20
	block := make([]byte, much)
	for i := range block {
		block[i] = 1
	}
	w := weight{pid: os.Getpid()}
	if err := w.read(); err != nil || w.bytes < much {
		t.Errorf("got %d bytes, %v; want %d at least", w.bytes, err, much)
	}
	if block[len(block)-1] != 1 {
		t.Error("the block is gone") // and so it is kept until here
	}
	gone := weight{pid: 1 << 22} // above every pid
	if err := gone.read(); err == nil {
		t.Error("a process that is not there has a weight")
	}
}

// newTestBoard is a generation of one slot, whose worker holds a request.
func newTestBoard(t *testing.T) *generation {
	t.Helper()
	board, err := dispatch.NewScoreboard(1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = board.Close() }) // shared memory; nothing to flush
	board.Seat(0, 0).Begin(7, dispatch.Monotonic())
	return &generation{board: board}
}
