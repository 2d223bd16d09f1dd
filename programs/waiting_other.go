//go:build !amd64

package programs

// olderCall knows the calls that newer architectures do without: here, none.
func olderCall(uint64) callKind { return callOther }
