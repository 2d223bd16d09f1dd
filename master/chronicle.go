package master

import (
	"slices"
	"time"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/pool"
)

const (
	keptEvents = 200 // of all kinds
	keptDeaths = 10  // of workers, that nobody had asked for
)

// chronicle is the last events of the service, for those who ask what happened. It
// belongs to the master's loop and is plain data.
type chronicle struct {
	events []control.Event // the oldest first
	deaths []control.Event // kept apart, or workers that are recycled would push them out
}

// note adds an event.
func (c *chronicle) note(e control.Event) {
	e.Time = time.Now().Round(time.Millisecond)
	c.events = append(c.events, e)
	c.events = slices.Delete(c.events, 0, max(len(c.events)-keptEvents, 0))
	if e.What == "worker died" {
		c.deaths = append(c.deaths, e)
		c.deaths = slices.Delete(c.deaths, 0, max(len(c.deaths)-keptDeaths, 0))
	}
}

// buried notes the end of a worker.
func (c *chronicle) buried(g *generation, d *pool.Death) {
	slot := int(d.Slot)
	e := control.Event{What: "worker died", Generation: g.number, Slot: &slot, PID: d.PID, Reason: d.Cause.String(), Detail: ending(d.Exit)}
	if d.Cause == pool.Asked {
		e.What, e.Detail = "worker left", d.Reason
	}
	c.note(e)
}
