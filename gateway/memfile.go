package gateway

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A finished body of more than 112 KiB comes in a memfd, so that its worker is free
// at once. Until the client has taken it, it is memory that nobody may swap out
// but the kernel, and many slow clients of large responses add up. So there is a
// budget for all of them together, and what is over it is moved to a spool file.

// inMemory reports whether a file is a memfd, or lies in a file system in memory:
// only those have seals (memfd_create(2), F_GET_SEALS).
func inMemory(file *os.File) bool {
	_, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	return err == nil
}

// lodge says where the part of a finished body is that is to be sent: where it was,
// if it is a file on disk or there is memory left for it, else in a spool file at
// offset 0. done gives back what was reserved and closes what was made.
func (g *gateway) lodge(file *os.File, offset, length int64) (at *os.File, from int64, done func(), err error) {
	if !inMemory(file) {
		return file, offset, func() {}, nil
	}
	held := reservation{of: g.memory}
	if held.add(length) {
		return file, offset, held.release, nil
	}
	spooled := reservation{of: g.spooled}
	if !spooled.add(length) {
		return nil, 0, nil, fmt.Errorf("hold a response for its client: %w", errSpoolFull)
	}
	copied, err := copyToSpool(g.config.spoolDir(), file, offset, length)
	if err != nil {
		spooled.release()
		return nil, 0, nil, fmt.Errorf("hold a response for its client: %w: %w", errSpoolFull, err)
	}
	return copied, 0, func() {
		_ = copied.Close() // it has no name; nothing to lose
		spooled.release()
	}, nil
}

// copyToSpool copies a part of a file to a new spool file, within the kernel.
func copyToSpool(dir string, file *os.File, offset, length int64) (*os.File, error) {
	to, err := openSpool(dir)
	if err != nil {
		return nil, err
	}
	for left := length; left > 0; {
		n, err := unix.Sendfile(int(to.Fd()), int(file.Fd()), &offset, int(min(left, sendStep)))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 { // 0: the file is shorter than was said, and so is the copy
			if err != nil {
				_ = to.Close() // nobody will read it
				return nil, os.NewSyscallError("sendfile", err)
			}
			break
		}
		left -= int64(n)
	}
	return to, nil
}
