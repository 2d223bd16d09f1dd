package dispatch

import (
	"bytes"
	"errors"
	"io"
	"os"
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
