package programs

import (
	"github.com/indrik/indrik/pool"
)

// fact is something that happened outside the master's goroutine.
type fact any

type (
	// spawnWanted: a pool wants a process in the slot.
	spawnWanted struct {
		gen  *generation
		slot pool.SlotID
	}
	// workerSaid: a worker sent a notification.
	workerSaid struct {
		worker *worker
		notice notice
	}
	// workerQuiet: everything that a worker sent before its end has been heard.
	workerQuiet struct{ worker *worker }
	// questionAsked: somebody outside the loop wants an answer from its state. answer
	// must not wait.
	questionAsked struct{ answer func() }
	// slotMoved: a pool moved a slot.
	slotMoved struct {
		gen    *generation
		change pool.Change
	}
	// poolEnded: every process of the generation was reaped.
	poolEnded struct {
		gen *generation
		err error
	}
)

// post adds a fact for the master's goroutine. Safe from any goroutine; never blocks.
func (m *master) post(f fact) { m.facts.Post(f) }
