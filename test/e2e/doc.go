// Package e2e tests the indrik binary from the outside: it is built, started
// with real Python, spoken to over its sockets and signalled like a service,
// but without systemd (that is package lab).
//
// # How a test goes
//
//	s := serve(t, launch{app: "plain", args: []string{"-w", "2"}})
//	… requests, signals, kills …
//	s.allow("worker ended")     // the warnings the test provoked
//	s.stop()                    // SIGTERM, exit status 0
//
// # What every test checks, without a word
//
//   - The master exits in time and with the status the test names.
//   - No process of the tree is left. A process is known by a mark in its
//     environment, so that one whose parent died is found too.
//   - Standard error holds no warning, error, traceback or data race that the
//     test did not provoke.
//
// # Needs
//
// Go, Linux and Python 3.9 or newer. The tests of Flask and Django use the
// repository's virtual environment; without it they fail if CI=true and are
// skipped elsewhere. With -race the binary under test is built with the race
// detector too.
package e2e
