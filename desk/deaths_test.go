package desk

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/pool"
)

// Only a SIGKILL that was not ours can have been the kernel's.
func TestExplainTellsTheKernelsKills(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "memory.events")
	count := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	killed := pool.Exit{Signal: syscall.SIGKILL}
	for _, c := range []struct {
		death  pool.Death
		counts string
		want   pool.Cause
		limit  cgroup.Limit
	}{
		{pool.Death{Cause: pool.Signalled, Exit: pool.Exit{Signal: syscall.SIGSEGV}}, "oom 1\noom_kill 9\n", pool.Signalled, cgroup.UnknownLimit},
		{pool.Death{Cause: pool.Overran, Exit: killed}, "oom 1\noom_kill 9\n", pool.Overran, cgroup.UnknownLimit},
		{pool.Death{Cause: pool.Signalled, Exit: killed}, "oom 0\noom_kill 9\n", pool.OutOfMemory, cgroup.OuterLimit},
		{pool.Death{Cause: pool.Signalled, Exit: killed}, "oom 1\noom_kill 9\n", pool.OutOfMemory, cgroup.OwnLimit},
		{pool.Death{Cause: pool.Signalled, Exit: killed}, "oom_kill 9\n", pool.OutOfMemory, cgroup.UnknownLimit},
		{pool.Death{Cause: pool.Signalled, Exit: killed}, "oom 1\noom_kill 8\n", pool.Signalled, cgroup.UnknownLimit},
	} {
		count("oom 0\noom_kill 8\n")
		kills := cgroup.WatchOOMAt(path)
		count(c.counts)
		ExplainKill(&c.death, kills)
		if c.death.Cause != c.want {
			t.Errorf("%v, %q: became %v, want %v", c.death.Exit.Signal, c.counts, c.death.Cause, c.want)
		}
		if said := slices.Contains(c.death.Facts, any(c.limit)); said != (c.limit != cgroup.UnknownLimit) {
			t.Errorf("%v, %q: facts %v, want the limit %q", c.death.Exit.Signal, c.counts, c.death.Facts, c.limit)
		}
	}
}
