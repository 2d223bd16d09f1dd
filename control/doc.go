// Package control is the control socket: HTTP with JSON over a Unix socket, by
// which a running service is asked what it does and told what to do.
//
// # Who owns what
//
// A [Server] has the goroutines of its clients and no state of the service. What it
// is asked it asks of a [Service], which the master is; it waits for each answer
// with the client's patience, so that no client can hold the master up. A [Client] is
// the other end, of the command line and of tests; curl is another:
//
//	curl --unix-socket /run/indrik/shop/control http://indrik/v1/status
//
// # What is promised
//
//   - Only root and the user that the master runs as are answered, whatever the mode
//     of the socket's file: the kernel says who connected (SO_PEERCRED).
//   - Heads, bodies, the time to send them and the number of questions at a time are
//     bounded. A client that is stuck costs a goroutine, until its deadline.
//   - Every failure is a status and {"error": "…"} in words that name the remedy.
//
// # What is not
//
// The package knows nothing of workers or reloads but their names in JSON, and
// decides nothing about them. It does not log.
package control
