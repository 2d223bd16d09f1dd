package dispatch

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// copies returns n descriptors of the same pipe's write end, and its read end.
func copies(t *testing.T, n int) (fds []int, read *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = read.Close() // a test may have closed it
		_ = write.Close()
	})
	for range n {
		fds = append(fds, int(write.Fd()))
	}
	return fds, read
}

// Descriptors arrive as new ones of the same files, close-on-exec: a fork and exec
// at the wrong moment must not carry them off.
func TestChannelCarriesDescriptors(t *testing.T) {
	a, b := channelPair(t)
	for _, n := range []int{1, 3, MaxFDs} {
		fds, read := copies(t, n)
		send(t, a, Tuple{"take"}, fds...)
		got := wantMessage(t, b, Tuple{"take"})
		if len(got) != n {
			t.Fatalf("%d descriptors arrived, want %d", len(got), n)
		}
		for i, fd := range got {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor %d of %d: flags %#x, %v; want close-on-exec", i, n, flags, err)
			}
			if _, err := unix.Write(fd, []byte{byte(i)}); err != nil {
				t.Errorf("write to descriptor %d of %d: %v", i, n, err)
			}
		}
		closeAll(got)
		through := make([]byte, n)
		if _, err := io.ReadFull(read, through); err != nil || through[n-1] != byte(n-1) {
			t.Errorf("through %d descriptors came %v, %v", n, through, err)
		}
	}
}

// A broken message costs itself and what came with it, and no more.
func TestReceiveDropsBrokenMessagesWhole(t *testing.T) {
	noLeak(t)
	theirs, fd := socketPair(t)
	defer unix.Close(theirs)
	c := newChannel(t, fd)
	fds, _ := copies(t, MaxFDs+10)
	var syntax *SyntaxError
	for name, c2 := range map[string]struct {
		data  []byte
		fds   []int
		check func(error) bool
	}{
		"not marshal":          {[]byte("?"), fds[:2], func(err error) bool { return errors.As(err, &syntax) }},
		"not a tuple":          {[]byte("N"), fds[:2], func(err error) bool { return errors.As(err, &syntax) }},
		"too large":            {make([]byte, MaxMessage+1), fds[:2], func(err error) bool { return errors.Is(err, ErrTooLarge) }},
		"too many descriptors": {[]byte(")\x00"), fds, func(err error) bool { return errors.Is(err, ErrDescriptorsLost) }},
	} {
		before := openFiles(t)
		rawSend(t, theirs, c2.data, c2.fds...)
		rawSend(t, theirs, []byte(")\x01z\x04next"))
		if msg, got, err := receive(t, c); !c2.check(err) || msg != nil || got != nil {
			t.Errorf("%s: %#v, %v, %v", name, msg, got, err)
		}
		wantMessage(t, c, Tuple{"next"})
		if after := openFiles(t); after != before {
			t.Errorf("%s: %d descriptors are open, %d were before", name, after, before)
		}
	}
}

// A process at its limit of open files receives some of the descriptors. Those must
// be closed, or it stays at its limit.
func TestReceiveAtTheLimitOfOpenFiles(t *testing.T) {
	a, b := channelPair(t)
	fds, _ := copies(t, 5)
	before := openFiles(t)
	send(t, a, Tuple{"too much"}, fds...)
	send(t, a, Tuple{"next"}, fds[0])
	withRoomFor(t, 2, func() {
		if msg, got, err := receive(t, b); !errors.Is(err, ErrDescriptorsLost) {
			t.Errorf("Receive() = %#v, %v, %v; want ErrDescriptorsLost", msg, got, err)
		}
		got := wantMessage(t, b, Tuple{"next"})
		if len(got) != 1 {
			t.Errorf("%d descriptors came with the next message, want 1", len(got))
		}
		closeAll(got)
	})
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// withRoomFor lets the process open only so many more files while f runs.
func withRoomFor(t *testing.T, room int, f func()) {
	t.Helper()
	var free []int
	for range room {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0) // always the lowest number
		if err != nil {
			t.Fatal(err)
		}
		free = append(free, fd)
	}
	closeAll(free)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := syscall.Rlimit{Cur: uint64(free[room-1] + 1), Max: old.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}()
	f()
}
