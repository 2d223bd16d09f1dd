// Package logsink takes log entries to where they are kept: a file, syslog, or
// systemd's journal.
//
// A [Target] is such a place. Writing to one may block for as long as a disk, a
// reader or a network likes, so a service gives its entries to a [Writer], which
// has a goroutine for that and a bounded memory for what waits:
//
//	Add ──▶ memory, at most so many bytes ──▶ goroutine ──▶ Target
//
// # What is promised
//
//   - Add never waits and never fails. What finds no room, or cannot be written,
//     is lost, and is counted and reported.
//   - Entries are written whole or, where a disk fills up in the middle of one,
//     the next begins on a line of its own.
//   - Around [Writer.Reopen] none is lost: each is in the old file or the new.
//
// # What is not done here
//
// Nothing is logged: what went wrong goes to the function that was given for it.
package logsink
