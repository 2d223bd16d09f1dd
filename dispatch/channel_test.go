package dispatch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests of this file count the descriptors of the process and are therefore
// not parallel.

// limit is for what must happen: long enough for a machine that is busy.
const limit = 20 * time.Second

// channelPair returns both ends of a channel, and fails the test if it leaves more
// descriptors open than it found.
func channelPair(t *testing.T) (a, b *Channel) {
	t.Helper()
	noLeak(t)
	fd1, fd2 := socketPair(t)
	return newChannel(t, fd1), newChannel(t, fd2)
}

func socketPair(t *testing.T) (a, b int) {
	t.Helper()
	a, b, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func newChannel(t *testing.T, fd int) *Channel {
	t.Helper()
	c, err := NewChannel(fd, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return c
}

// noLeak compares the open descriptors at the end of the test with those of now.
func noLeak(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe() // makes the runtime open its poller, which it keeps
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close() // nothing is in it
	_ = w.Close()
	before := openFiles(t)
	t.Cleanup(func() {
		if after := openFiles(t); after != before {
			t.Errorf("%d descriptors are open, %d were before", after, before)
		}
	})
}

// receive takes a message within the limit.
func receive(t *testing.T, c *Channel) (Tuple, []int, error) {
	t.Helper()
	late := time.AfterFunc(limit, func() {
		_ = c.Close() // ends Receive
	})
	defer late.Stop()
	msg, fds, err := c.Receive()
	if errors.Is(err, os.ErrClosed) {
		t.Fatalf("nothing was received within %v", limit)
	}
	return msg, fds, err
}

func wantMessage(t *testing.T, c *Channel, want Tuple) []int {
	t.Helper()
	msg, fds, err := receive(t, c)
	if err != nil || !reflect.DeepEqual(msg, want) {
		t.Fatalf("Receive() = %#v, %v; want %#v", msg, err, want)
	}
	return fds
}

func send(t *testing.T, c *Channel, msg Tuple, fds ...int) {
	t.Helper()
	if err := c.Send(msg, fds...); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// rawSend sends what Send would not. fd is the file's own end of a pair.
func rawSend(t *testing.T, fd int, data []byte, fds ...int) {
	t.Helper()
	var beside []byte
	if len(fds) > 0 {
		beside = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(fd, data, beside, nil, unix.MSG_NOSIGNAL); err != nil {
		t.Fatal(err)
	}
}

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

// Orders go one way and facts the other, whole, in order, and then comes the end.
func TestChannelCarriesMessagesBothWays(t *testing.T) {
	a, b := channelPair(t)
	first, second := Tuple{"configure", Dict{"app": "hello:app", "loops": int64(2)}}, Tuple{"spawn", int64(1)}
	send(t, a, first)
	send(t, a, second)
	send(t, b, Tuple{"forked", int64(1), int64(4711)})
	wantMessage(t, b, first)
	wantMessage(t, b, second)
	wantMessage(t, a, Tuple{"forked", int64(1), int64(4711)})
	send(t, a, Tuple{"last"})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, b, Tuple{"last"})
	for range 2 {
		if _, _, err := receive(t, b); err != io.EOF { //nolint:errorlint // itself, as documented
			t.Fatalf("after the end: %v, want io.EOF", err)
		}
	}
}

// The largest message passes although the system's buffers may be small.
func TestChannelCarriesTheLargestMessage(t *testing.T) {
	noLeak(t)
	fd1, fd2 := socketPair(t)
	for _, fd := range []int{fd1, fd2} {
		if size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF); err != nil || size < 2*MaxMessage {
			t.Errorf("a send buffer of %d bytes, %v; want %d", size, err, 2*MaxMessage)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v; want close-on-exec", flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("file flags %#x, %v; want blocking", flags, err)
		}
	}
	a, b := newChannel(t, fd1), newChannel(t, fd2)
	msg := Tuple{bytes.Repeat([]byte("x"), MaxMessage-2-5)} // behind ) 1 s and the size
	data, err := Marshal(msg)
	if err != nil || len(data) != MaxMessage {
		t.Fatalf("the message has %d bytes, %v; want %d", len(data), err, MaxMessage)
	}
	a.SetSendTimeout(limit)
	for range 3 {
		send(t, a, msg)
		wantMessage(t, b, msg)
	}
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

// A message that is too large is the sender's mistake and stays with the sender.
func TestSendRefusesTooMuch(t *testing.T) {
	a, b := channelPair(t)
	if err := a.Send(Tuple{make([]byte, MaxMessage)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large message: %v, want ErrTooLarge", err)
	}
	fds, _ := copies(t, MaxFDs+1)
	if err := a.Send(Tuple{}, fds...); !errors.Is(err, ErrTooLarge) {
		t.Errorf("many descriptors: %v, want ErrTooLarge", err)
	}
	if err := a.Send(Tuple{1.5}); err == nil {
		t.Error("a float: no error")
	}
	if err := a.Send(Tuple{}, 1<<30); !errors.Is(err, unix.EBADF) {
		t.Errorf("a descriptor that is none: %v, want EBADF", err)
	}
	send(t, a, Tuple{"still usable"})
	wantMessage(t, b, Tuple{"still usable"})
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

// A worker that says why it failed and exits leaves orders unread behind it. Linux
// reports that (ECONNRESET) before its last words, which must not be lost.
func TestLastWordsArriveAlthoughThePeerReadNothing(t *testing.T) {
	a, b := channelPair(t)
	send(t, a, Tuple{"spawn", int64(1)})
	send(t, b, Tuple{"failed", "why"})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, a, Tuple{"failed", "why"})
	if _, _, err := receive(t, a); !errors.Is(err, io.EOF) {
		t.Errorf("then %v, want io.EOF", err)
	}
}

// However the peer left, the sender learns the same.
func TestSendToAPeerThatIsGone(t *testing.T) {
	for name, unread := range map[string]bool{"nothing unread": false, "messages unread": true} {
		a, b := channelPair(t)
		if unread {
			send(t, a, Tuple{"unread"})
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := a.Send(Tuple{"hello"}); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%s: %v, want EPIPE", name, err)
			}
		}
	}
}

// fill sends until the peer's buffer is full, and returns how many messages fit.
func fill(t *testing.T, c *Channel) int {
	t.Helper()
	c.SetSendTimeout(20 * time.Millisecond)
	defer c.SetSendTimeout(0)
	for n := range 10_000 {
		switch err := c.Send(Tuple{int64(n), make([]byte, 10_000)}); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return n
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatal("the buffer of the channel has no end")
	return 0
}

// A peer that does not read costs each sender its own time and not the sum of all.
func TestSendTimeoutHoldsForEverySender(t *testing.T) {
	a, b := channelPair(t)
	n := fill(t, a)
	const timeout = 300 * time.Millisecond
	a.SetSendTimeout(timeout)
	begun := time.Now()
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			if err := a.Send(Tuple{"late", make([]byte, 10_000)}); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Send: %v, want os.ErrDeadlineExceeded", err)
			}
		})
	}
	senders.Wait()
	if took := time.Since(begun); took < timeout || took > 10*timeout {
		t.Errorf("20 senders took %v, each had %v", took, timeout)
	}
	for i := range n { // and nothing of what was refused arrives
		wantMessage(t, b, Tuple{int64(i), make([]byte, 10_000)})
	}
	send(t, a, Tuple{"again"})
	wantMessage(t, b, Tuple{"again"})
}

// Without a limit Send waits until there is room.
func TestSendWaitsForRoom(t *testing.T) {
	a, b := channelPair(t)
	n := fill(t, a)
	sent := make(chan error, 1)
	go func() { sent <- a.Send(Tuple{"last", make([]byte, 10_000)}) }()
	for i := range n {
		wantMessage(t, b, Tuple{int64(i), make([]byte, 10_000)})
	}
	wantMessage(t, b, Tuple{"last", make([]byte, 10_000)})
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// Several goroutines send and each one's messages arrive whole and in its order.
func TestConcurrentSenders(t *testing.T) {
	a, b := channelPair(t)
	const senders, messages = 8, 200
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range messages {
				if err := a.Send(Tuple{s, i, make([]byte, 100*(s+1)*(i%10))}); err != nil {
					t.Errorf("sender %d: %v", s, err)
					return
				}
			}
		})
	}
	var next [senders]int64
	for range senders * messages {
		msg, _, err := receive(t, b)
		if err != nil {
			t.Fatal(err)
		}
		s, i := msg[0].(int64), msg[1].(int64)
		if i != next[s] || len(msg[2].([]byte)) != 100*int(s+1)*int(i%10) {
			t.Fatalf("sender %d: message %d with %d bytes, want message %d", s, i, len(msg[2].([]byte)), next[s])
		}
		next[s]++
	}
	sending.Wait()
}

// Close ends what waits, so that a goroutine that reads a channel can be ended.
func TestCloseEndsSendAndReceive(t *testing.T) {
	a, b := channelPair(t)
	fill(t, a)
	ended := make(chan error, 3)
	go func() { ended <- a.Send(Tuple{"waits for room", make([]byte, 10_000)}) }()
	go func() { ended <- a.Send(Tuple{"waits for the other", make([]byte, 10_000)}) }()
	go func() {
		_, _, err := a.Receive()
		ended <- err
	}()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("%v, want os.ErrClosed", err)
			}
		case <-time.After(limit):
			t.Fatalf("still waiting %v after Close", limit)
		}
	}
	_ = b
}

// NewChannel owns the descriptor from the call on, also when it cannot use it.
func TestNewChannelRefusesOtherSockets(t *testing.T) {
	noLeak(t)
	for name, kind := range map[string]int{"stream": unix.SOCK_STREAM, "datagram": unix.SOCK_DGRAM} {
		fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewChannel(fds[0], name); !errors.Is(err, unix.EPROTOTYPE) {
			t.Errorf("%s: %v, want EPROTOTYPE", name, err)
		}
		if err := unix.Close(fds[0]); !errors.Is(err, unix.EBADF) {
			t.Errorf("%s: closing it again: %v, want EBADF", name, err)
		}
		_ = unix.Close(fds[1]) // the peer, of no further use
	}
}

// startPeer starts testdata/peer.py with its end as descriptor 3.
func startPeer(t *testing.T) (*Channel, *exec.Cmd) {
	t.Helper()
	noLeak(t)
	cmd := python(t, "testdata/peer.py")
	ours, theirs := socketPair(t)
	c := newChannel(t, ours)
	file := os.NewFile(uintptr(theirs), "peer")
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close() // a test may have closed it; end of file is its order to leave
		if err := cmd.Wait(); err != nil || complaints.Len() > 0 {
			t.Errorf("peer ended: %v\n%s", err, complaints.String())
		}
	})
	return c, cmd
}

// The other end is Python, as in the product: messages and descriptors pass.
func TestChannelToPython(t *testing.T) {
	c, _ := startPeer(t)
	for _, v := range sample() {
		send(t, c, Tuple{"echo", v})
		wantMessage(t, c, Tuple{"echoed", v})
	}
	fds, read := copies(t, MaxFDs)
	send(t, c, Tuple{"write", []byte("hello")}, fds[0])
	wantMessage(t, c, Tuple{"wrote", int64(5)})
	got := make([]byte, 5)
	if _, err := io.ReadFull(read, got); err != nil || string(got) != "hello" {
		t.Errorf("through the descriptor came %q, %v", got, err)
	}
	send(t, c, Tuple{"echo"}, fds...)
	back := wantMessage(t, c, Tuple{"echoed"})
	if len(back) != MaxFDs {
		t.Errorf("%d descriptors came back, want %d", len(back), MaxFDs)
	}
	closeAll(back)
}

// A stopped process (SIGSTOP, a debugger, a frozen cgroup) must not hold up the
// master; when it goes on, it has lost nothing that was accepted.
func TestStoppedPeer(t *testing.T) {
	c, cmd := startPeer(t)
	send(t, c, Tuple{"echo"})
	wantMessage(t, c, Tuple{"echoed"}) // it runs
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Whether it stops before it reads the first messages does not matter.
	n := fill(t, c)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Error("nothing could be sent to a stopped process")
	}
	c.SetSendTimeout(limit)
	send(t, c, Tuple{"echo", "after"})
	wantMessage(t, c, Tuple{"echoed", "after"})
}

// The end of a process is the end of its channel.
func TestPeerThatLeaves(t *testing.T) {
	c, _ := startPeer(t)
	send(t, c, Tuple{"leave"})
	if _, _, err := receive(t, c); !errors.Is(err, io.EOF) {
		t.Errorf("Receive: %v, want io.EOF", err)
	}
	if err := c.Send(Tuple{"echo"}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Send: %v, want EPIPE", err)
	}
}
