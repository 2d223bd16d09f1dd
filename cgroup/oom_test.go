package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
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
		if got := oomFiles(groups, "master"); !slices.Equal(got, want) {
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
	k := WatchOOMAt(path)
	if k.Take(now) {
		t.Error("a kill of before our time explains a death")
	}
	count("oom 4\noom_kill 3\n")
	if !k.Take(now) || k.Take(now) {
		t.Error("one kill does not explain one death")
	}
	count("oom 4\noom_kill 4\n")
	k.Refresh(now.Add(2 * oomPeriod))
	if k.Take(now.Add(2*oomPeriod + 2*oomFresh)) {
		t.Error("a kill explains a death long after")
	}
	if (*OOMKills)(nil).Take(now) {
		t.Error("who knows nothing knows a kill")
	}
}
