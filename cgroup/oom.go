package cgroup

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// oomFresh is how long a death for want of memory may come after the kernel has
	// counted it: the process must give its memory back first.
	oomFresh = 10 * time.Second
	// oomPeriod is how often the count is read though nobody has died.
	oomPeriod = time.Second
)

// OOMKills counts the processes of our control group that the kernel has killed for
// want of memory, the group's or the machine's. It says that there was such a kill,
// not whose: a worker that died of SIGKILL when one was just counted was it. A nil one
// knows nothing. Safe from any goroutine.
type OOMKills struct {
	path string

	mu    sync.Mutex
	count killCount
	fresh []kill // that no death was explained with
	read  time.Time
}

// A Limit is whose limit of memory made the kernel kill a process.
type Limit uint8

// The limits.
const (
	UnknownLimit Limit = iota // version 1 of control groups does not say
	OwnLimit                  // of the group, or of one below it
	OuterLimit                // of the machine, or of a group above
)

// String is the limit in words for the log; "" if it is not known.
func (l Limit) String() string {
	return [...]string{"", "the service's own", "the machine's, or that of a group above"}[l]
}

// kill is one that was counted.
type kill struct {
	at    time.Time
	limit Limit
}

// killCount is what a file says of kills.
type killCount struct {
	kills int
	own   int // times that the group, or one below it, had no more memory; -1 if it is not said
}

// WatchOOM counts, from now on, in the control group that this process is in, or in the
// one above if that is the part of it with the name leaf; nil if there is no count that
// it may read.
func WatchOOM(leaf string) *OOMKills {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for _, path := range oomFiles(string(groups), leaf) {
		if k := WatchOOMAt(path); k != nil {
			return k
		}
	}
	return nil
}

// WatchOOMAt counts from now on in a file that [OOMKills.Path] has named before; nil if
// it cannot be read.
func WatchOOMAt(path string) *OOMKills {
	n, err := readKills(path)
	if err != nil {
		return nil
	}
	return &OOMKills{path: path, count: n}
}

// Path is the file that is read; "" for a nil one.
func (k *OOMKills) Path() string {
	if k == nil {
		return ""
	}
	return k.path
}

// oomFiles are where the count may be, by the text of /proc/self/cgroup
// (cgroups(7)): in version 2, or in the hierarchy of version 1 that has memory.
func oomFiles(groups, leaf string) (paths []string) {
	const root = "/sys/fs/cgroup"
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		switch controllers := strings.Split(parts[1], ","); {
		case parts[0] == "0":
			group := strings.TrimSuffix(parts[2], "/"+leaf) // where a master that was executed again is: the workers are beside it
			paths = append(paths, filepath.Join(root, group, "memory.events"))
		case len(controllers) == 1 && controllers[0] == "memory":
			paths = append(paths,
				filepath.Join(root, "memory", parts[2], "memory.oom_control"),
				filepath.Join(root, "memory", "memory.oom_control")) // the group of a container
		}
	}
	return paths
}

// readKills reads the line "oom_kill N", which both versions have, and "oom N", which the
// second has: a kill for the memory of the machine, or of a group above, leaves it as it is.
func readKills(path string) (killCount, error) {
	c := killCount{-1, -1}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read the count of processes killed for memory: %w", err)
	}
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte{' '})
		number := &c.kills
		switch string(name) {
		case "oom_kill":
		case "oom":
			number = &c.own
		default:
			continue
		}
		if *number, err = strconv.Atoi(string(bytes.TrimSpace(rest))); err != nil {
			return c, fmt.Errorf("read %s: %w", path, err)
		}
	}
	if c.kills < 0 {
		return c, fmt.Errorf("%s has no oom_kill", path)
	}
	return c, nil
}

// Refresh notes kills of late. It is called from time to time, so that a kill is not
// taken for one of the moment at which somebody asks.
func (k *OOMKills) Refresh(now time.Time) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.read) >= oomPeriod {
		k.look(now)
	}
}

// Take reports whether there was a kill that no death has been explained with yet, and
// by whose limit.
func (k *OOMKills) Take(now time.Time) (Limit, bool) {
	if k == nil {
		return UnknownLimit, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.look(now)
	if len(k.fresh) == 0 {
		return UnknownLimit, false
	}
	first := k.fresh[0]
	k.fresh = k.fresh[1:]
	return first.limit, true
}

// look reads the count and forgets what is too old.
func (k *OOMKills) look(now time.Time) {
	k.read = now
	if n, err := readKills(k.path); err == nil {
		limit := OuterLimit
		switch {
		case n.own < 0:
			limit = UnknownLimit
		case n.own > k.count.own:
			limit = OwnLimit
		}
		for range n.kills - k.count.kills {
			k.fresh = append(k.fresh, kill{now, limit})
		}
		k.count = n
	}
	for len(k.fresh) > 0 && now.Sub(k.fresh[0].at) > oomFresh {
		k.fresh = k.fresh[1:]
	}
}
