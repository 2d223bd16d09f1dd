package master

import (
	"github.com/indrik/indrik/desk"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/pool"
)

// fact is something that happened outside the master's goroutine.
type fact any

type (
	// childSaid: the gateway or a mold sent a message.
	childSaid struct {
		child *child
		msg   dispatch.Tuple
	}
	// childHungUp: no message of this child will come any more.
	childHungUp struct {
		child *child
		err   error
	}
	// childEnded: the child was reaped.
	childEnded struct {
		child *child
		exit  pool.Exit
	}
	// workerSaid: a worker sent a message on its report socket.
	workerSaid struct {
		worker *worker
		msg    dispatch.Tuple
	}
	// workerHungUp: the report socket is at its end, or nobody waits for it
	// any longer.
	workerHungUp struct{ worker *worker }
	// spawnWanted: the pool wants a process in the slot.
	spawnWanted struct {
		gen  *generation
		slot pool.SlotID
	}
	// strayEnded: a worker that the pool never had was reaped.
	strayEnded struct{ gen *generation }
	// slotMoved: the pool moved a slot.
	slotMoved struct {
		gen    *generation
		change pool.Change
	}
	// workersWeighed: the memory of workers was looked at.
	workersWeighed struct {
		gen     *generation
		weights []desk.Weight
	}
	// poolEnded: every worker of the generation was reaped and none will come.
	poolEnded struct {
		gen *generation
		err error
	}
)

// post adds a fact for the master's goroutine. Safe from any goroutine; never blocks.
func (m *master) post(f fact) { m.facts.Post(f) }
