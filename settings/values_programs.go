package settings

import (
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exec returns the program to run as a worker and its arguments; none means Python.
func (v *Values) Exec() []string { return slices.Clone(of[[]string](v, "exec")) }

// ExecReady returns "auto", "notify" or "accept".
func (v *Values) ExecReady() string { return of[string](v, "exec_ready") }

// ExecReadyAfter returns how long a silent program must live to count as ready; 0
// means that it never does for that.
func (v *Values) ExecReadyAfter() time.Duration { return of[time.Duration](v, "exec_ready_after") }

// ExecStopSignal returns the signal that asks a program to leave.
func (v *Values) ExecStopSignal() syscall.Signal {
	return unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(of[string](v, "exec_stop_signal")), "SIG"))
}

// ExecWatchdog returns the longest silence of a program; 0 for no limit.
func (v *Values) ExecWatchdog() time.Duration { return of[time.Duration](v, "exec_watchdog") }

// ExecPerWorker reports that TCP addresses are bound once for each worker.
func (v *Values) ExecPerWorker() bool { return of[bool](v, "exec_per_worker") }

// ExecNonblocking reports that bound sockets are passed with O_NONBLOCK.
func (v *Values) ExecNonblocking() bool { return of[bool](v, "exec_nonblocking") }

// ExecFDStore returns how many descriptors are kept for each slot, 0 to 1024.
func (v *Values) ExecFDStore() int { return of[int](v, "exec_fd_store") }

// ExecSurge returns how many programs more than workers may run at a reload; 0 for
// as many as there are workers.
func (v *Values) ExecSurge() int { return of[int](v, "exec_surge") }

// ExecPrefixOutput reports that lines of programs are marked with their origin.
func (v *Values) ExecPrefixOutput() bool { return of[bool](v, "exec_prefix_output") }
