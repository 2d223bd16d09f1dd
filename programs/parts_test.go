package programs

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/testproc"
)

// The parts wait for connections in every way there is, on file 0.
func TestMain(m *testing.M) {
	testproc.Main(m, testproc.Parts{
		"accepts":        func() int { return raw(unix.SYS_ACCEPT4, 4, 0, 0) },
		"polls":          func() int { return poll(4) },
		"polls-another":  func() int { return poll(0) },
		"selects":        func() int { return sleepInSelect(4) },
		"epolls":         func() int { return epoll(unix.EPOLLIN) },
		"epolls-writing": func() int { return epoll(unix.EPOLLOUT) },
		"only-holds-it":  func() int { select {} },
		"becomes":        becomes,
	})
}

// raw sleeps in a system call for ever.
func raw(number, a, b, c uintptr) int {
	for {
		_, _, errno := unix.Syscall6(number, a, b, c, 0, 0, 0)
		if errno != unix.EINTR {
			fmt.Fprintln(os.Stderr, "the call ended:", errno)
			return 1
		}
	}
}

func poll(fd int32) int {
	fds := []unix.PollFd{{Fd: fd, Events: unix.POLLIN}}
	return raw(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), 1, 0)
}

func sleepInSelect(fd int) int {
	set := make([]byte, 128)
	for {
		binary.NativeEndian.PutUint64(set, 1<<fd)
		_, _, errno := unix.Syscall6(unix.SYS_PSELECT6, uintptr(fd+1), uintptr(unsafe.Pointer(&set[0])), 0, 0, 0, 0)
		if errno != unix.EINTR {
			return 1
		}
	}
}

func epoll(events uint32) int {
	set, err := unix.EpollCreate1(0)
	if err == nil {
		err = unix.EpollCtl(set, unix.EPOLL_CTL_ADD, 4, &unix.EpollEvent{Events: events, Fd: 4})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {}
}

// becomes is a shim; what it is to become is in the environment of the test.
func becomes() int {
	_ = os.Setenv("WATCHDOG_USEC", "1000000") // a part's environment is its own
	err := Become([]string{"4", "027", "/bin/sh", "sh", "-c", `echo "$LISTEN_PID $$ $WATCHDOG_PID $(umask)" >&5`}, os.Environ(), os.Getpid())
	fmt.Fprintln(os.Stderr, err)
	return StatusExec
}
