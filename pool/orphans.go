package pool

import "golang.org/x/sys/unix"

// sweepLimit bounds one sweep, so that something that forks faster than we
// reap cannot hold the caller.
const sweepLimit = 1024

// SweepOrphans reaps children that ended and that nobody watches, and returns
// how they ended. A process that is child subreaper (prctl(2),
// PR_SET_CHILD_SUBREAPER) or PID 1 inherits what its descendants leave behind
// and calls this when SIGCHLD arrives, or now and then.
//
// known reports whether somebody else will reap this pid: the pool
// ([Pool.Knows]), an [os.Process] that is waited for, a [Watch] of the
// caller's own. The kernel shows one ended child at a time, so a known one
// ends the sweep; its watcher will reap it in a moment and the next sweep gets
// further.
//
// Call it only while no order to spawn is pending ([Pool.SpawnPending]): a
// process that ended before the pool was told of it is no orphan, but looks
// like one.
func SweepOrphans(known func(pid int) bool) (reaped []Exit) {
	for len(reaped) < sweepLimit {
		var peek siginfo
		err := waitid(unix.P_ALL, 0, &peek, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
		if err != nil || peek.pid == 0 { // ECHILD: no children at all; 0: none has ended
			return reaped
		}
		if known(int(peek.pid)) {
			return reaped
		}
		var info siginfo
		err = waitid(unix.P_PID, int(peek.pid), &info, unix.WEXITED|unix.WNOHANG)
		if err == nil && info.pid != 0 {
			reaped = append(reaped, info.exit())
		}
	}
	return reaped
}
