// Command goservice is a web service in Go that runs as several processes over one
// listener, and exchanges them for a new build of itself without a refused client. It
// is an example of the packages activation and pool, used without the rest of Indrik.
//
//	goservice [-workers N] [-listen ADDRESS]
//
// The master (master.go) owns the sockets and starts workers from the file that is on
// disk; a worker (worker.go) is the same program with WORKER=1 in its environment.
// SIGHUP starts workers of a new generation, and when all of them are ready the old
// ones leave. README.md tells how to try it.
package main
