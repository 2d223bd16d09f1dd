// Package certs reads certificates and keys from files and chooses among them
// by the name that a client asks for.
//
// # Who owns what
//
// A [Store] holds the last reading that was good. Any goroutine may ask it for
// [Store.Config]; what it got stays valid and unchanged for as long as it keeps
// it. One goroutine at a time may call [Store.Refresh].
//
// # Life of a reading
//
//	files change ──▶ stay the same from one Refresh to the next ──▶ read ──▶ good: replaces the last
//	                                                                   └──▶ bad: the last stays, the error is told once
//
// Each reading is a [tls.Config] of its own. So session tickets end with the
// reading they were given in: a client that was let in by a certificate
// authority which has been removed since cannot come back by its ticket.
//
// # What is not done here
//
// No connection is accepted, no handshake made and nothing logged; nobody
// watches the files, the caller asks again when it likes.
package certs
