// Command load makes the load that wrk and h2load cannot: requests at a fixed
// rate, of which some are slow; a server that reloads meanwhile; WebSockets.
// bench/run builds and runs it; it speaks to addresses of this machine only.
//
//	load http [-rate 500] [-connections 64] [-seconds 5] [-slow-every 20] [-calm 2] ADDRESS
//	load ws [-connections 32] [-seconds 5] [-size 64] ADDRESS
//
// ADDRESS is host:port or unix:PATH. The result is one line of JSON on standard
// output, times in microseconds.
//
// # Latency at a fixed rate
//
// Request number i is due i/rate after the beginning, whatever became of those
// before it. One that finds all connections busy is measured from when it was
// due and not from when it could be sent: a server that stands still for a
// second fails the requests of that second too, not only the one that waited
// (wrk measures from sending, and omits them). What this program's own timers
// are late is not counted.
//
// # What is an error
//
// A connection that cannot be opened, a response that does not come or not whole
// within -timeout, a status above 399. A kept-alive connection that is closed
// before the first byte of a response is none: HTTP allows a server that at any
// time (RFC 9112, section 9.3.1), so the request is made once more on a new
// connection, as every client library does, and counted as retried.
package main
