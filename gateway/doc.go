// Package gateway accepts clients, speaks HTTP to them and dispatches their
// requests to the workers.
//
// # Who owns what
//
// A gateway has a few loops, each one goroutine around one epoll set. A loop
// owns its connections, its requests and its half of the reply sockets; no
// other goroutine touches them. Whoever wants something of a loop posts a
// function to its mailbox. The goroutine that reads the master's orders owns
// the gateway itself and posts them on.
//
// # Two paths
//
//	client ──▶ loop: read, parse, queue ──lane──▶ worker
//	client ◀── loop: head and body in one write ◀──reply── worker
//
// That is the express path: head and body arrived and fit the inline limit,
// and the reply came in one message. Everything else (chunked, large and slow
// bodies, Expect, files, streams) goes the goroutine path: the loop takes the
// connection out of its epoll set and gives it to one goroutine, which uses
// ordinary blocking Go over the same parser and the same dispatch, and hands
// the connection back when the odd request is done.
//
// A connection that speaks TLS or HTTP/2 is a resident (resident.go): it lives
// in a goroutine of its own from the start. Over TLS its requests are served one
// after the other by the same exchange (session.go); a stream of HTTP/2 is an
// exchange over a transport that translates (http2stream.go).
//
// A WebSocket begins on the goroutine path. Then its messages are the loop's, each
// read, sent on and forgotten in one turn (websockettalk.go), until one comes that is not
// for a loop; from that on two goroutines carry it (conversation.go).
//
// # Life of a request
//
//	queued ──▶ dispatched ──▶ answered
//	   │           │   └────▶ begun ──▶ ended      (streamed replies)
//	   │           └── its worker was reaped, or it was taken and lost: 502, 504
//	   └── its client left, or the queue's limits were hit: dropped, 503
//
// # What is promised
//
//   - A worker never waits for a client's bytes: a body is complete, in memory or
//     in a file, before its request is dispatched. Only where the worker is to
//     read it as it arrives (RequestBuffering) is it fed beside the dispatch.
//   - A request is given to at most one application. One that lies unread in the
//     lane of a dead worker goes to another.
//   - A client whose worker died gets a 502 (504 if it was killed for being
//     overdue) when it has no byte of the response yet, and a closed connection
//     when it has; clients of other workers notice nothing.
//   - Responses leave in the order of the requests of a connection.
//
// # What is not done here
//
// No process is started or watched here, and nothing is decided about
// workers: that is the master's business, told by its orders (see orders.go and
// docs/protocol.md).
package gateway
