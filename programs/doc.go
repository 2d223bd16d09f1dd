// Package programs keeps N copies of any program that takes its sockets from
// systemd (LISTEN_FDS) alive, ready and up to date: the master of a service
// whose workers are not Python.
//
// # Who owns what
//
// The goroutine that called [Run] owns everything: sockets, generations, workers
// and what each of them said; clients of the control socket ask it. Two goroutines serve each worker, one that reads
// its NOTIFY_SOCKET and one that learns whether it could be executed; they post
// facts. Processes belong to a [pool.Pool], one for each generation.
//
// # What a worker gets
//
// A program is started by way of [Become], because LISTEN_PID and WATCHDOG_PID are
// the number of the process itself, which nobody knows before the fork:
//
//	master ─fork─▶ this binary again ─set LISTEN_PID, execve─▶ the program
//	                        └─ a socket: "go on" comes when its control group is
//	                           made; execve closes it, or it says why that failed
//
// It has the listeners from descriptor 3 on, after them what its predecessors in
// the slot put into the descriptor store, a NOTIFY_SOCKET that only it and its
// descendants are heard on, and a process group of its own.
//
// # Life of a generation
//
//	raising ─ enough ready ─▶ serving ─ the next one is ready ─▶ leaving ─▶ gone
//	   └────── one cannot start, or in time ──▶ leaving (the old one goes on)
//
// # What is promised
//
//   - A listener of ours stays open from start to stop, whoever comes and goes:
//     no client is refused for a worker that ends.
//   - No old worker is asked to leave at a reload before a new one is ready.
//   - What a worker leaves behind in its process group, in its control group if it has
//     one of its own, or with its NOTIFY_SOCKET in the environment, is killed when it
//     has ended.
//   - systemd hears READY=1 when the first program is ready, and its watchdog is
//     pinged while one is.
//
// # What is not
//
// Clients are not looked at: a program that dies takes the connections with it that
// it had accepted. There is no gateway, no Python and no exchange of this binary by
// re-execution.
package programs
