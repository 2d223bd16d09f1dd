package desk

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/pool"
)

const (
	keptEvents = 200 // of all kinds
	keptDeaths = 10  // of workers, that nobody had asked for
)

// Chronicle is the last events of the service, for those who ask what happened. It
// belongs to the master's loop. As JSON it is a part of the master's state. The zero
// value is empty.
type Chronicle struct {
	Events []control.Event `json:"events"` // the oldest first
	Deaths []control.Event `json:"deaths"` // kept apart, or workers that are recycled would push them out
}

// Note adds an event.
func (c *Chronicle) Note(e control.Event) {
	e.Time = time.Now().Round(time.Millisecond)
	c.Events = append(c.Events, e)
	c.Events = slices.Delete(c.Events, 0, max(len(c.Events)-keptEvents, 0))
	if e.What == "worker died" {
		c.Deaths = append(c.Deaths, e)
		c.Deaths = slices.Delete(c.Deaths, 0, max(len(c.Deaths)-keptDeaths, 0))
	}
}

// Buried notes the end of a worker of a generation.
func (c *Chronicle) Buried(generation int, d *pool.Death) {
	slot := int(d.Slot)
	e := control.Event{What: "worker died", Generation: generation, Slot: &slot, PID: d.PID, Reason: d.Cause.String(), Detail: Ending(d.Exit)}
	if d.Cause == pool.Asked {
		e.What, e.Detail = "worker left", d.Reason
	}
	c.Note(e)
}

// Ending says how a process ended.
func Ending(x pool.Exit) string {
	switch {
	case x.Signal != 0:
		return "it was killed by " + unix.SignalName(x.Signal)
	case x.Status < 0:
		return "it ended, nobody knows how"
	default:
		return fmt.Sprintf("it ended with status %d", x.Status)
	}
}
