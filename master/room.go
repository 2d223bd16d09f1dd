package master

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// spareFiles is how many descriptors an exec may need beside the copies that are
// counted: the state, log files, what the runtime of the next image opens, and what
// other goroutines have opened meanwhile (the control socket's, the status page's).
const spareFiles = 16

// ensureRoom reports an error unless there are as many descriptors to be had as the
// service needs to be taken apart and put together again. Once it is apart there is no
// way back without them.
func (m *master) ensureRoom() error {
	// Three pieces of shared memory; a channel of gateway and mold each; the report and
	// the stacks of each worker.
	need := 3 + 2 + 2*len(m.gen.workers) + spareFiles
	fds := make([]int, 0, need)
	defer func() { closeAll(fds) }()
	for range need {
		fd, err := unix.FcntlInt(uintptr(m.self), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%d descriptors are needed for it (LimitNOFILE= of the unit, ulimit -n): %w", need, err)
		}
		fds = append(fds, fd)
	}
	return nil
}
