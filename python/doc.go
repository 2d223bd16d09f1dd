// Package python holds Indrik's Python side, the mold and the workers, inside the
// binary.
//
// The package owns no process and starts none. The master puts [Boot] and [Sources] in memfds
// and starts an interpreter with [Arguments]; what the two sides
// then say to each other is docs/protocol.md. A [Cache] keeps what a mold has compiled of them. The same files can be installed as a
// Python package and started with `python -m indrik --channel 3`.
//
// Files of Python and of Go are always of one version, because they are compiled into
// one binary. That is why the protocol between them needs no negotiation.
package python
