// Package cgroup works with the control groups of Linux: it finds the one that was
// delegated to this service, divides it, and reads what the kernel counts there.
//
//	indrik@shop.service/        delegated by the unit (Delegate=), holds no process itself
//	├─ master                   this process
//	├─ gateway-PID
//	├─ mold-GENERATION-PID
//	└─ worker-SLOT-GENERATION-PID
//
// It knows version 2, the one hierarchy of today's systems, and of version 1 only the
// limit of processor time. A [Group] is the path of a directory and nothing else: it
// holds no descriptor, may be copied, and its methods may be called from any
// goroutine. Nothing here logs or waits; what is not there (a controller, PSI) is
// reported as such and never as zero.
//
// The rules are those of cgroups(7) and of systemd's "Control Group APIs and
// Delegation": only what systemd has marked as delegated is written to.
package cgroup
