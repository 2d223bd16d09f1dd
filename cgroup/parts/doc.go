// Package parts divides the control group of a service: each of its processes gets a part
// of its own, in which the kernel counts and limits it, and whatever it leaves behind can
// be found and killed.
//
// A [Parts] belongs to the goroutine of the master that made it; a nil one divides
// nothing, so that everything else works the same where no group was delegated. It logs
// what somebody could mend, once.
package parts
