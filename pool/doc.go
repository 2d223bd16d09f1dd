// Package pool keeps a wanted number of worker processes alive and ready.
//
// The caller starts processes, however it likes, and tells the pool their
// numbers; the pool decides when one is to be started, watches each through a
// pidfd, ends those that miss a deadline, reaps them all, says why each one
// left, and orders the replacement.
//
// # Who owns what
//
// One goroutine, inside [Pool.Run], owns every slot. Other goroutines tell it
// facts ([Pool.Spawned], [Pool.Ready], [Pool.Failed]) and give it orders
// ([Pool.Resize], [Pool.Retire], [Pool.Replace], [Pool.Kill]); these calls put a note into a
// mailbox and return. The functions of [Config] are called by that goroutine.
//
// # Life of a slot
//
//	          Spawned           Ready           Taken
//	Vacant ────────────▶ Starting ─────▶ Idle ◀───────▶ Busy
//	  ▲                     │             │    Returned   │
//	  │                     └──────┬──────┴──────┬────────┘
//	  │                     Retire │             │ Overdue
//	  │                            ▼             ▼
//	  │        Reaped           Draining ────▶ Killed
//	  └────────(from any of them)      Overdue
//
// With [Limits].Abort a process whose deadline has passed is Aborting before it is
// Killed: it got SIGABRT, and has that long to say where it stands.
//
// A slot outlives its workers. [Config.Spawn] orders a process for a vacant
// slot; until the outcome is told the slot stays vacant with the order noted.
//
// # What is promised
//
//   - A slot holds at most one process; one that comes too many is killed.
//   - Every process the pool was told of while it ran is reaped by the pool.
//   - The first worker that crashes is replaced at once; those that keep
//     dying before they are ready, or faster than [Budget] allows, wait.
//   - A worker that is replaced ([Pool.Replace]) leaves when its successor is
//     ready, one worker at a time: the number of those that serve does not sink.
//   - No worker is killed for time that passed while this process, or the
//     whole machine, was stopped.
//   - A process is signalled through its pidfd, so never a stranger that got
//     its number.
//
// # What is not
//
// A whole service that does what is left to the caller is in examples/goservice.
//
// The package starts no process, reads no configuration or environment,
// installs no signal handler, and knows nothing about what a worker does.
// It needs Linux 5.10 or later (PIDFD_NONBLOCK).
package pool
