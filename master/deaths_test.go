package master

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// Only a SIGKILL that was not ours can have been the kernel's.
func TestExplainTellsTheKernelsKills(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "memory.events")
	count := func(n string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("oom_kill "+n+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
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
		count("8")
		kills := cgroup.WatchOOMAt(path)
		count("9")
		g.explain(&c.death, kills)
		if c.death.Cause != c.want {
			t.Errorf("%v: became %v, want %v", c.death.Exit.Signal, c.death.Cause, c.want)
		}
		if !slices.Contains(c.death.Facts, any("requests")) {
			t.Errorf("facts %v, want the requests that it held", c.death.Facts)
		}
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
