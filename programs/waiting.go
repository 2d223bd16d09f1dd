package programs

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/proc"
)

// maxFamily bounds how many processes of a worker are looked at.
const maxFamily = 256

// accepting reports whether a process of the worker pid waits for connections on one
// of the listeners, which are named by their inodes: it has one in an epoll set, or a
// thread of it sleeps in accept, poll or select with one. What the kernel does not
// show to us counts as no.
//
// It is an observation of one instant, made from outside: nothing is sent to the
// program, and connections of clients are left alone.
func accepting(pid int, inodes map[uint64]bool) bool {
	for _, p := range proc.Family(pid, maxFamily) {
		fds := listenersOf(p, inodes)
		if len(fds) > 0 && (polls(p, inodes) || sleepsIn(p, fds)) {
			return true
		}
	}
	return false
}

// listenersOf are the descriptors of a process that are one of the listeners.
func listenersOf(pid int, inodes map[uint64]bool) map[int]bool {
	fds := make(map[int]bool)
	eachFD(pid, func(fd int, target string) {
		text, found := strings.CutPrefix(target, "socket:[")
		inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
		if found && err == nil && inodes[inode] {
			fds[fd] = true
		}
	})
	return fds
}

// polls reports whether an epoll set of the process holds one of the listeners. Of
// its descriptors /proc/PID/fdinfo says, in a line each (proc(5)):
//
//	tfd:        5 events:       1d data: 5  pos:0 ino:8d21 sdev:8
func polls(pid int, inodes map[uint64]bool) (found bool) {
	eachFD(pid, func(fd int, target string) {
		if found || target != "anon_inode:[eventpoll]" {
			return
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
		if err != nil {
			return // closed meanwhile
		}
		for line := range strings.Lines(string(text)) {
			found = found || watches(line, inodes)
		}
	})
	return found
}

// watches reads one line of an epoll set.
func watches(line string, inodes map[uint64]bool) bool {
	if !strings.HasPrefix(line, "tfd:") {
		return false
	}
	var events, inode uint64
	fields := strings.Fields(line)
	for i, field := range fields {
		if field == "events:" && i+1 < len(fields) {
			events, _ = strconv.ParseUint(fields[i+1], 16, 64) // 0 if it is none, which waits for nothing
		}
		if text, ok := strings.CutPrefix(field, "ino:"); ok {
			inode, _ = strconv.ParseUint(text, 16, 64)
		}
	}
	return events&unix.EPOLLIN != 0 && inodes[inode]
}

func eachFD(pid int, f func(fd int, target string)) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // gone, or not for us to know
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil {
			f(fd, target)
		}
	}
}

// sleepsIn reports whether a thread of the process sleeps in a system call that waits
// for one of the descriptors. /proc/PID/task/TID/syscall is its number and its six
// arguments.
func sleepsIn(pid int, fds map[int]bool) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid)) // the pattern is a good one
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text))
		if len(fields) < 4 { // "running", or in no call
			continue
		}
		var word [4]uint64
		for i := range word {
			word[i], err = strconv.ParseUint(fields[i], 0, 64)
			if err != nil {
				break
			}
		}
		if err == nil && callWaits(pid, word, fds) {
			return true
		}
	}
	return false
}

// callWaits judges a system call by its number and first three arguments.
func callWaits(pid int, call [4]uint64, fds map[int]bool) bool {
	switch kindOfCall(call[0]) {
	case callAccept:
		return fds[int(int32(call[1]))]
	case callPoll: // an array of struct pollfd, and its length
		memory := peek(pid, call[1], 8*min(call[2], 4096))
		for ; len(memory) >= 8; memory = memory[8:] {
			events := binary.NativeEndian.Uint16(memory[4:])
			if fds[int(int32(binary.NativeEndian.Uint32(memory)))] && events&unix.POLLIN != 0 {
				return true
			}
		}
	case callSelect: // a number of bits, and a set of them
		memory := peek(pid, call[2], (min(call[1], 1<<16)+63)/64*8)
		for fd := range fds {
			at := fd / 64 * 8
			if at+8 <= len(memory) && binary.NativeEndian.Uint64(memory[at:])&(1<<(fd%64)) != 0 {
				return true
			}
		}
	}
	return false
}

// peek reads memory of another process; nothing if that is not allowed.
func peek(pid int, address, length uint64) []byte {
	file, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // read side; nothing to lose
	memory := make([]byte, length)
	n, err := file.ReadAt(memory, int64(address))
	if err != nil {
		return nil
	}
	return memory[:n]
}

// callKind is how a system call waits.
type callKind uint8

const (
	callOther callKind = iota
	callAccept
	callPoll
	callSelect
)

// kindOfCall knows the calls that every architecture has; olderCall the others.
func kindOfCall(number uint64) callKind {
	switch number {
	case unix.SYS_ACCEPT, unix.SYS_ACCEPT4:
		return callAccept
	case unix.SYS_PPOLL:
		return callPoll
	case unix.SYS_PSELECT6:
		return callSelect
	}
	return olderCall(number)
}
