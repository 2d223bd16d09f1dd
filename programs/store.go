package programs

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/pool"
)

// stored is one descriptor that a worker gave us to keep.
type stored struct {
	name string
	fd   int
	poll bool // drop it when its other side hangs up
}

// store keeps descriptors for each slot, as systemd does for a service: the next
// program in the slot gets them after its listeners. It belongs to the master's
// goroutine.
type store map[pool.SlotID][]stored

// add keeps the descriptors of a notice, which are the store's from here on. Those
// past limit are closed, and counted. A file that is there already under the name is
// not kept twice.
func (s store) add(slot pool.SlotID, n *notice, limit int) (refused int) {
	for _, fd := range n.fds {
		switch {
		case s.holds(slot, n.name, fd):
			_ = unix.Close(fd) // another number for a file that we keep
		case len(s[slot]) >= limit:
			_ = unix.Close(fd) // the worker has its own
			refused++
		default:
			s[slot] = append(s[slot], stored{name: n.name, fd: fd, poll: !n.keepHungUp})
		}
	}
	n.fds = nil
	return refused
}

// holds compares open files, of which kcmp(2) would know more; two sockets are the
// same if their inodes are.
func (s store) holds(slot pool.SlotID, name string, fd int) bool {
	var fresh unix.Stat_t
	if unix.Fstat(fd, &fresh) != nil || fresh.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return false
	}
	return slices.ContainsFunc(s[slot], func(old stored) bool {
		var st unix.Stat_t
		return old.name == name && unix.Fstat(old.fd, &st) == nil && st.Dev == fresh.Dev && st.Ino == fresh.Ino
	})
}

// remove gives up the descriptors of a name.
func (s store) remove(slot pool.SlotID, name string) {
	s[slot] = slices.DeleteFunc(s[slot], func(d stored) bool {
		if d.name == name {
			_ = unix.Close(d.fd) // it was kept for others
		}
		return d.name == name
	})
}

// sift gives up what has hung up: the reader of such a pipe could only be
// disappointed.
func (s store) sift(slot pool.SlotID) {
	s[slot] = slices.DeleteFunc(s[slot], func(d stored) bool {
		fds := []unix.PollFd{{Fd: int32(d.fd)}}
		n, err := unix.Poll(fds, 0)
		gone := d.poll && err == nil && n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
		if gone {
			_ = unix.Close(d.fd) // nobody is at its other end
		}
		return gone
	})
}

// close gives everything up.
func (s store) close() {
	for slot, all := range s {
		for _, d := range all {
			_ = unix.Close(d.fd) // it was kept for others
		}
		delete(s, slot)
	}
}
