package programs

import (
	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/cgroup"
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/pool"
)

// explain adds to a death what the pool cannot know: whether it was the kernel that
// killed the program for want of memory, and what it last said of itself. It runs on the
// pool's goroutine.
func (g *generation) explain(d *pool.Death, kills *cgroup.OOMKills) {
	desk.ExplainKill(d, kills)
	if s := g.signs[d.Slot].Load(); s != nil {
		if said := s.said.Load(); said != nil && *said != "" {
			d.Facts = append(d.Facts, "said", hclog.Quote(*said))
		}
	}
}
