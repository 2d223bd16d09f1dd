// Package master is the supervising process: it owns the service's sockets,
// keeps a gateway, a mold and a pool of workers alive, and tells systemd the
// truth about them. It never reads a byte of a client.
//
// # Who owns what
//
// One goroutine, the one that called [Run], owns everything: the gateway, the
// generation with its mold and workers, what is said to systemd. Whatever
// happens elsewhere (a child said something, a child ended, the pool moved a
// slot) is posted to it as a fact, a value in the past tense, and heard in the
// order in which it was posted. The pool owns the phases of the slots on a
// goroutine of its own; the master learns them as facts.
//
//	signals ─────────────────────┐
//	gateway ──channel──▶ reader ─┤
//	mold ─────channel──▶ reader ─┼──▶ facts ──▶ the master's loop ──▶ orders
//	workers ──report───▶ reader ─┤
//	pool ────────────────────────┘
//
// # The processes
//
//	master ── gateway        started here, from the same executable
//	       ├─ mold           started here, a Python interpreter
//	       └─ worker 1…N     forked by the mold; our children because the
//	                         master is child subreaper (prctl(2))
//
// # Life of a service
//
//	booting ──first worker ready, gateway serves──▶ serving ──TERM──▶ stopping ─▶ gone
//	                                                 ↺ HUP: a reload (step.go)
//	   └── a worker failed before that: everything ends, Run returns ErrLoad or ErrBoot
//
// # What is promised
//
//   - READY=1 is sent when a request would be answered, and not before.
//   - The watchdog is pinged only while this loop turns, every loop of the gateway
//     beats, and a worker can take work (or the service is on its way up or down).
//   - A reload ends with the new generation serving or with the old one untouched.
//   - If the binary on disk has changed, a reload executes it in place of this one; the
//     other processes notice nothing (state.go, pack.go, restore.go, reexec.go).
//   - A gateway or a mold that dies is replaced, and neither the workers nor the
//     listeners notice; the requests that a dead worker held are named to the gateway.
//   - Run returns last: when it returns, no process that it started is left, its
//     Unix sockets and its pid file are gone.
//   - The loop never waits for a child: a child that does not take its orders
//     is killed and replaced.
//
// # What is not done here
//
// Phases, deadlines and budgets of workers are package pool's. Signals are
// received and logs are formatted by cmd/indrik.
package master
