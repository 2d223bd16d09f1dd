package programs

import "golang.org/x/sys/unix"

// olderCall knows the calls that newer architectures do without.
func olderCall(number uint64) callKind {
	switch number {
	case unix.SYS_POLL:
		return callPoll
	case unix.SYS_SELECT:
		return callSelect
	}
	return callOther
}
