package master

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// heldShown is how many requests the line about a death names.
const heldShown = 4

// explain adds to a death what the pool cannot know: what the worker held, and
// whether it was the kernel that killed it. It runs on the pool's goroutine.
func (g *generation) explain(d *pool.Death, kills *cgroup.OOMKills) {
	if d.Cause == pool.Signalled && d.Exit.Signal == syscall.SIGKILL && kills.Take(time.Now()) {
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
