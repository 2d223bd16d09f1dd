package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Processors returns how many processors this process can keep busy, at least 1:
// those that it may run on (affinity and cpuset), and no more than the time it
// gets of them together (cpu.max of its control group and of those above, or
// cpu.cfs_quota_us of version 1), a part of one counted as one. What cannot be read
// limits nothing.
func Processors() int {
	n := math.MaxInt
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		n = set.Count()
	}
	limit := math.Inf(1)
	if p, err := ownPlace(""); err == nil {
		limit = p.least(share2)
	}
	if p, err := ownPlace("cpu"); err == nil {
		limit = min(limit, p.least(share1))
	}
	if limit < float64(n) {
		n = int(math.Ceil(limit))
	}
	return max(n, 1)
}

// least is the smallest limit of the group and of those above it that are to be
// seen.
func (p place) least(share func(dir string) float64) float64 {
	limit := math.Inf(1)
	for dir := p.dir; ; dir = filepath.Dir(dir) {
		limit = min(limit, share(dir))
		if dir == p.top || dir == "/" {
			return limit
		}
	}
}

// share2 reads cpu.max: QUOTA PERIOD, or "max" for no limit. The root has none.
func share2(dir string) float64 {
	text, err := os.ReadFile(filepath.Join(dir, "cpu.max"))
	if err != nil {
		return math.Inf(1)
	}
	quota, period, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return part(quota, period)
}

// share1 reads the limit of version 1; -1 is none.
func share1(dir string) float64 {
	quota, err := os.ReadFile(filepath.Join(dir, "cpu.cfs_quota_us"))
	if err != nil {
		return math.Inf(1)
	}
	period, err := os.ReadFile(filepath.Join(dir, "cpu.cfs_period_us"))
	if err != nil {
		return math.Inf(1)
	}
	return part(strings.TrimSpace(string(quota)), strings.TrimSpace(string(period)))
}

func part(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err != nil || err2 != nil || q <= 0 || p <= 0 {
		return math.Inf(1)
	}
	return q / p
}
