// Package desk is what the masters of this project have in common where they answer
// for a service: the control socket, the register of reloads, the last events, and
// what the kernel says of processes and listeners.
//
// # Who owns what
//
// [Reloads], [Chronicle], [Levels], [Voice], [Farewell] and [Scales] belong to the master's loop and are changed by
// nobody else. Questions come on goroutines of the socket's clients; [Ask] carries them to
// the loop, and the answer back. [Vitals] and the functions about listeners ask the
// kernel and are called beside the loop, because the kernel may take its time. A
// [Door] belongs to the plan that opened it.
//
// # What is not
//
// The package decides nothing about workers: what a question means for a service is
// said by the [control.Service] of its master.
package desk
