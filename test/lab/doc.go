// Package lab boots one real systemd for a test run, so that units, socket
// activation, the watchdog and the journal are tested as they are and not as a
// fake remembers them.
//
// # Who owns what
//
// The test process owns a [Lab]. The Lab owns one child, the keeper: the test
// binary started again as PID 1 of a new pid and mount namespace. The keeper
// mounts an overlay of the running root file system and starts systemd-nspawn
// on it. Every mount lives in the keeper's mount namespace, and every process
// in its pid namespace.
//
//	test process ──stdin (life line)──▶ keeper ── systemd-nspawn ── systemd (leader) ── units
//	             ◀─────facts (fd 3)────
//
// # Life of a lab
//
//	Start ─▶ booting ─▶ up ── Run, WriteFile, Dial, Journal … ──▶ Close ─▶ gone
//
// # What is promised
//
//   - However the test process ends, SIGKILL included, the life line reaches end
//     of file, the keeper exits, and the kernel ends every process and every
//     mount of the lab with it. Only empty control groups can stay behind; the
//     next Start removes them.
//   - Nothing is written to the root file system of the host: the overlay's
//     upper layer is a tmpfs.
//   - The network of the lab is its own loopback and nothing else.
//
// # What is not
//
// The lab cannot show what needs the memory, cpu or pids controllers, because a
// host with cgroup v1 keeps those to itself. It needs root.
package lab
