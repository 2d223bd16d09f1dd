// Package activation takes over listening sockets from systemd, binds its own
// where there are none, and tells systemd the truth about the service.
//
// # Who owns what
//
// A [Socket] is plain data around one descriptor number: it can be written to
// a file and read back by the next image of the same process. Whoever holds it
// owns the descriptor. It is never wrapped in a [net.Listener] here, because
// giving such a listener to a child by os/exec makes the accepting socket
// blocking in every process that shares it.
//
// Sockets that systemd passed are duplicates of descriptors systemd keeps:
// closing ours loses nothing, but socket options and O_NONBLOCK are shared
// between all holders. Nothing in this package calls shutdown(2) on a listener
// or removes a path that it did not create.
//
// A [Notifier] owns one datagram socket, and may be used by any number of
// goroutines. A nil *Notifier is the notifier of a process that nobody
// supervises: all its methods do nothing and return nil.
//
// # Order
//
//	Inherited ─┐
//	           ├─▶ serve ─▶ Ready ─▶ Watchdog … Watchdog ─▶ Stopping ─▶ Close
//	Listen ────┘
//
// A whole service is in examples/goservice.
//
// # What is promised
//
//   - Descriptors are taken over as a whole or not at all; a refused one stays
//     as it was, and the error names it, says what it is and what to change.
//   - Every descriptor is close-on-exec, and every socket is non-blocking.
//   - The environment is a value ([Env]); it is neither read nor changed behind
//     the caller's back. [Unset] makes the environment for children.
//   - One notification is one datagram of at most [MaxNotification] bytes, and
//     a service manager that has stopped reading cannot hold the caller for
//     ever.
//
// # What is not done
//
// Accepting connections, datagram and sequential-packet sockets, instances per
// connection (Accept=yes), VSOCK, waiting for a busy address to
// come free.
//
// # Beside go-systemd
//
// github.com/coreos/go-systemd/v22 speaks the same protocols, and the tests of
// this package use it as the independent other side. It is not used inside,
// because it would lose what is promised above: its activation package reads
// and unsets the environment of the process, accepts any descriptor, does not
// look at LISTEN_PIDFDID and turns the numbers into os.Files that the garbage
// collector may close; its daemon package cannot send descriptors (FDSTORE,
// BARRIER), does not bound size or time, and opens a socket for each message.
//
// The protocols are described in sd_listen_fds(3), sd_notify(3),
// sd_watchdog_enabled(3) and systemd.socket(5).
package activation
