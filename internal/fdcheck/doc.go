// Package fdcheck finds descriptors that a test leaves open.
//
// It reads /proc/self/fd, which is one table for the whole process: a test
// that uses it must not run beside others (no t.Parallel).
package fdcheck
