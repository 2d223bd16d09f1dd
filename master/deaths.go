package master

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

const (
	// heldShown is how many requests the line about a death names.
	heldShown = 4
	// oomFresh is how long a death for want of memory may come after the kernel has
	// counted it: the process must give its memory back first.
	oomFresh = 10 * time.Second
	// oomPeriod is how often the count is read though nobody has died.
	oomPeriod = time.Second
)

// explain adds to a death what the pool cannot know: what the worker held, and
// whether it was the kernel that killed it. It runs on the pool's goroutine.
func (g *generation) explain(d *pool.Death, kills *oomKills) {
	if d.Cause == pool.Signalled && d.Exit.Signal == syscall.SIGKILL && kills.take(time.Now()) {
		d.Cause = pool.OutOfMemory
	}
	held := g.inHand(d.Slot)
	if len(held) == 0 {
		return
	}
	now := dispatch.Monotonic()
	var words []string
	for _, r := range held[:min(len(held), heldShown)] {
		age := time.Duration(now - r.start).Round(time.Millisecond)
		words = append(words, fmt.Sprintf("%#x (%v)", r.id, age))
	}
	d.Facts = append(d.Facts, "requests", len(held), "held", strings.Join(words, ", "))
}

// oomKills counts the processes of our control group that the kernel has killed for
// want of memory, the group's or the machine's. It says that there was such a kill,
// not whose: a worker that died of SIGKILL when one was just counted was it. A nil one
// knows nothing. Safe from any goroutine.
type oomKills struct {
	path string

	mu    sync.Mutex
	count int
	fresh []time.Time // kills that no death was explained with
	read  time.Time
}

// newOOMKills finds the count of the control group that this process is in; nil if
// there is none that it may read.
func newOOMKills() *oomKills {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for _, path := range oomFiles(string(groups)) {
		if n, err := readOOMKills(path); err == nil {
			return &oomKills{path: path, count: n}
		}
	}
	return nil
}

// oomFiles are where the count may be, by the text of /proc/self/cgroup
// (cgroups(7)): in version 2, or in the hierarchy of version 1 that has memory.
func oomFiles(groups string) (paths []string) {
	const root = "/sys/fs/cgroup"
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		switch controllers := strings.Split(parts[1], ","); {
		case parts[0] == "0":
			group := strings.TrimSuffix(parts[2], "/"+masterGroup) // where a master that was executed again is: the workers are beside it
			paths = append(paths, filepath.Join(root, group, "memory.events"))
		case len(controllers) == 1 && controllers[0] == "memory":
			paths = append(paths,
				filepath.Join(root, "memory", parts[2], "memory.oom_control"),
				filepath.Join(root, "memory", "memory.oom_control")) // the group of a container
		}
	}
	return paths
}

// readOOMKills reads the line "oom_kill N", which both versions have.
func readOOMKills(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the count of processes killed for memory: %w", err)
	}
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte("oom_kill ")); found {
			return strconv.Atoi(string(bytes.TrimSpace(rest)))
		}
	}
	return 0, fmt.Errorf("%s has no oom_kill", path)
}

// refresh notes kills of late.
func (k *oomKills) refresh(now time.Time) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.read) >= oomPeriod {
		k.look(now)
	}
}

// take reports whether there was a kill that no death has been explained with yet.
func (k *oomKills) take(now time.Time) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.look(now)
	if len(k.fresh) == 0 {
		return false
	}
	k.fresh = k.fresh[1:]
	return true
}

// look reads the count and forgets what is too old.
func (k *oomKills) look(now time.Time) {
	k.read = now
	if n, err := readOOMKills(k.path); err == nil {
		for ; k.count < n; k.count++ {
			k.fresh = append(k.fresh, now)
		}
	}
	for len(k.fresh) > 0 && now.Sub(k.fresh[0]) > oomFresh {
		k.fresh = k.fresh[1:]
	}
}
