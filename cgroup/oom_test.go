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
	none := func(k *OOMKills, at time.Time, why string) {
		t.Helper()
		if limit, there := k.Take(at); there {
			t.Errorf("%s: a kill by %v", why, limit)
		}
	}
	one := func(want Limit) {
		t.Helper()
		if limit, there := k.Take(now); !there || limit != want {
			t.Errorf("a kill: %v, by %q; want one by %q", there, limit, want)
		}
	}
	none(k, now, "one of before our time")
	count("oom 4\noom_kill 3\n")
	one(OwnLimit)
	none(k, now, "one kill for a second death")
	count("oom 4\noom_kill 5\noom_group_kill 0\n")
	one(OuterLimit)
	one(OuterLimit)
	count("oom_kill_disable 0\nunder_oom 0\noom_kill 6\n") // version 1
	one(UnknownLimit)
	count("oom 4\noom_kill 7\n")
	k.Refresh(now.Add(2 * oomPeriod))
	none(k, now.Add(2*oomPeriod+2*oomFresh), "long after")
	none(nil, now, "who knows nothing")
}
