// Package proc reads what the kernel says of processes in /proc: their memory and
// processor time, and who descends from whom (proc(5)).
//
// A process may end at any moment, and its number be given to another: the caller
// makes sure of whom it speaks, or does without. What nobody may see, or a kernel does
// not tell, is an error or a zero value and never a guess. Functions may be called from any
// goroutine; nothing is remembered between calls, nothing is logged.
package proc
