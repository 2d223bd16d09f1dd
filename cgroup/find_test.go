package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// A wrong group is worse than none: processes of somebody else would be killed.
func TestOwnGroupIsFound(t *testing.T) {
	const (
		unified = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
		hybrid  = "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw\n" +
			"32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		boundIn = "40 39 0:26 /docker/ab12 /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
		odd     = "41 39 0:26 / /mnt/a\\040b\\134c rw - cgroup2 cgroup rw\n"
	)
	for _, c := range []struct {
		name, membership, mounts, controller, want string // want "" for none
	}{
		{"unified", "0::/system.slice/a.service\n", unified, "", "/sys/fs/cgroup/system.slice/a.service"},
		{"the root", "0::/\n", unified, "", "/sys/fs/cgroup"},
		{"hybrid", "2:cpu,cpuacct:/v1\n0::/v2\n", hybrid, "", "/sys/fs/cgroup/unified/v2"},
		{"version 1", "2:cpu,cpuacct:/v1\n0::/v2\n", hybrid, "cpu", "/sys/fs/cgroup/cpu,cpuacct/v1"},
		{"only version 1", "1:name=systemd:/x\n", hybrid, "", ""},
		{"a container without a namespace", "0::/docker/ab12/in\n", boundIn, "", "/sys/fs/cgroup/in"},
		{"another container's name", "0::/docker/ab123\n", boundIn, "", ""},
		{"outside of the namespace", "0::/../other\n", unified, "", ""},
		{"not mounted", "0::/x\n", "", "", ""},
		{"white space", "0::/x y\n", odd, "", `/mnt/a b\c/x y`},
		{"a colon", "0::/a:b\n", unified, "", "/sys/fs/cgroup/a:b"},
	} {
		p, ok := locate(c.membership, c.mounts, c.controller)
		if ok != (c.want != "") || p.dir != c.want {
			t.Errorf("%s: got %+v, %v, want %q", c.name, p, ok, c.want)
		}
	}
}

// Too many workers for the time there is are slower than fewer.
func TestTheLeastLimitAboveCounts(t *testing.T) {
	top := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a/cpu.max", "150000 100000\n")
	write("a/b/cpu.max", "max 100000\n")
	write("a/b/c/cpu.max", "400000 100000\n")
	write("cpu/a/cpu.cfs_quota_us", "50000\n")
	write("cpu/a/cpu.cfs_period_us", "100000\n")
	write("cpu/a/b/cpu.cfs_quota_us", "-1\n")
	write("cpu/a/b/cpu.cfs_period_us", "100000\n")
	write("bad/cpu.max", "0 0\n")
	for _, c := range []struct {
		dir   string
		share func(string) float64
		want  float64
	}{
		{"a/b/c", share2, 1.5},
		{"a", share2, 1.5},
		{"", share2, math.Inf(1)},
		{"bad", share2, math.Inf(1)},
		{"cpu/a/b", share1, 0.5},
	} {
		if got := (place{top: top, dir: filepath.Join(top, c.dir)}).least(c.share); got != c.want {
			t.Errorf("limit of %q: got %v, want %v", c.dir, got, c.want)
		}
	}
}
