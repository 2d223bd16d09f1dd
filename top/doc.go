// Package top shows a running service in a terminal, live, as top(1) shows the
// processes of a machine.
//
// # Who owns what
//
// The caller has the terminal's files and the signals; [Run] borrows the terminal and
// gives it back as it was, however it ends. One goroutine owns what is shown. It is told
// of keys by one goroutine that reads, of answers by goroutines that ask, one for each
// question, and starts no second one while the first waits.
//
//	keys ──▶        ┌──────┐ ◀── signals
//	answers ──▶     │ Run  │ ──▶ the terminal, one write for each picture
//	questions ◀──   └──────┘ ◀── a clock
//
// # What is promised
//
//   - What the service says is foreign text: no byte of it that is not printable reaches
//     the terminal.
//   - A service that does not answer is said to be away, with what was last known of it;
//     it may be becoming another program.
//   - Rates are made of two answers, with the times at which their figures were read.
//
// # What is not
//
// The package finds no service, reads no environment, receives no signals and prints
// nothing anywhere else.
package top
