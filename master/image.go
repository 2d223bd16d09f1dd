package master

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fingerprint tells one binary from another. It holds only while a descriptor keeps
// the inode from being used again.
type fingerprint struct {
	device, inode uint64
	size          int64
	changed       unix.Timespec
}

func takeFingerprint(info *unix.Stat_t) fingerprint {
	return fingerprint{device: uint64(info.Dev), inode: info.Ino, size: info.Size, changed: info.Mtim} //nolint:unconvert // 32 bits on some architectures
}

// openSelf opens the binary that this process runs, so that it can be compared with
// the one on disk, and executed again when that is gone.
func (m *master) openSelf() (err error) {
	if m.self, err = unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open the binary that runs: %w", err)
	}
	return nil
}

// replaced reports that another binary is where this one was started from. An error
// says that none can be looked at.
func (m *master) replaced() (bool, error) {
	var ours, there unix.Stat_t
	if err := unix.Fstat(m.self, &ours); err != nil {
		return false, fmt.Errorf("look at the binary that runs: %w", err)
	}
	if err := unix.Stat(m.path, &there); err != nil {
		return false, fmt.Errorf("look at the binary %s: %w", m.path, err)
	}
	return takeFingerprint(&ours) != takeFingerprint(&there), nil
}
