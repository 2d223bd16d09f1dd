package gateway

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

const (
	// discardLimit is how much of a body that the application did not read is
	// read away to keep the connection; if more is to come, closing is cheaper.
	discardLimit = 256 << 10
	discardTime  = 2 * time.Second
)

// errUnwanted ends a feed whose body nobody reads any more.
var errUnwanted = errors.New("the body is not wanted any more")

// feed copies a request's body to its worker as it arrives, in a goroutine
// beside the one that waits for the answer (docs/protocol.md, "read as it
// arrives"). While it runs it alone reads from the client: x.data and x.buffer
// are its own.
type feed struct {
	x      *exchange
	head   *http1.Head
	stream *os.File      // our end
	limit  int64         // of the body; 0 for none
	size   int64         // bytes of body taken from the client
	left   atomic.Int64  // bytes still to come, -1 if nobody knows; for the other goroutine
	done   chan struct{} // closed when nothing more is read from the client; err may be read then
	err    error         // nil if the whole body was passed on

	mu       sync.Mutex
	expected bool // the client may be waiting for 100 (Continue)
	answered bool // the response has begun: it is too late for that
}

// newFeed makes the stream socket of a body. The worker's end is the caller's.
func (x *exchange) newFeed(h *http1.Head) (f *feed, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: make a stream for it: %w", errSpool, err)
	}
	_ = unix.SetNonblock(pair[0], true) // for the runtime's poller
	f = &feed{
		x: x, head: h, stream: os.NewFile(uintptr(pair[0]), "body"),
		limit: x.gateway.config.BodyLimit, done: make(chan struct{}), expected: h.Expect100,
	}
	f.left.Store(-1)
	if !h.Chunked {
		f.left.Store(h.ContentLength)
	}
	return f, os.NewFile(uintptr(pair[1]), "body"), nil
}

// run copies until the body is complete, cut short or not wanted any more.
func (f *feed) run() {
	err := f.pass()
	f.err = err
	close(f.done) // before the worker can answer to the end of the body
	if err == nil {
		// Taken back, the worker's wish makes the close an orderly end of file.
		// Left where it is, it makes the worker's read fail with ECONNRESET.
		var wish [1]byte
		_, _ = f.stream.Read(wish[:])
	}
	_ = f.stream.Close() // all was written, or nobody reads it
}

func (f *feed) pass() error {
	if err := f.awaitWish(); err != nil {
		return err
	}
	if !f.proceed() {
		return errClientLeft
	}
	return f.x.receive(f.head, f)
}

// awaitWish waits for the byte that the worker writes before it reads for the
// first time, and leaves it where it is.
func (f *feed) awaitWish() error {
	raw, err := f.stream.SyscallConn()
	if err != nil {
		return errUnwanted
	}
	n := 0
	err = raw.Read(func(fd uintptr) bool {
		var wish [1]byte
		var errno error
		n, _, errno = unix.Recvfrom(int(fd), wish[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return errno != unix.EAGAIN && errno != unix.EINTR
	})
	if err != nil || n <= 0 {
		return errUnwanted // it closed its end, or the response is complete
	}
	return nil
}

// proceed asks the client for the body if it waits for that. It reports false
// if the client is gone.
func (f *feed) proceed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := !f.expected || f.answered
	f.expected = false
	if asked || len(f.x.data) > 0 {
		return true
	}
	_ = f.x.sock.SetWriteDeadline(time.Now().Add(f.x.patience)) // sockets have deadlines
	_, err := f.x.sock.Write([]byte(continueLine))
	return err == nil
}

// write passes a piece of the body on. It is the sink of receive.
func (f *feed) write(p []byte) error {
	f.size += int64(len(p))
	if f.limit > 0 && f.size > f.limit {
		return errBodyTooLarge
	}
	if left := f.left.Load(); left >= 0 {
		f.left.Store(left - int64(len(p)))
	}
	if _, err := f.stream.Write(p); err != nil {
		return errUnwanted
	}
	return nil
}

// answer notes that the response begins, after which no 100 (Continue) may be
// sent, and reports whether the connection can go on after it: not if the
// client still waits to be asked for the body (RFC 9110 section 10.1.1), and
// not if too much of it is still to come.
func (f *feed) answer() (keep bool) {
	f.mu.Lock()
	f.answered = true
	unasked := f.expected
	f.mu.Unlock()
	select {
	case <-f.done:
		if !errors.Is(f.err, errUnwanted) {
			return f.err == nil
		}
	default:
	}
	left := f.left.Load()
	return !unasked && left >= 0 && left <= discardLimit
}

// stop ends the feed after the response. If keep is wanted it reads away what
// the application left of the body, and reports whether the connection can go
// on.
func (f *feed) stop(keep bool) bool {
	f.x.halted.Store(true)
	_ = f.x.sock.SetReadDeadline(time.Now()) // wakes it; sockets have deadlines
	_ = f.stream.SetDeadline(time.Now())     // the same; it may be closed already
	<-f.done
	f.x.halted.Store(false)
	if f.err == nil || !keep {
		return keep
	}
	left := f.left.Load()
	if !errors.Is(f.err, errUnwanted) || left < 0 || left > discardLimit {
		return false
	}
	return f.x.discard(left)
}

// discard reads left bytes of a body away, and reports whether they came.
func (x *exchange) discard(left int64) bool {
	n := min(int64(len(x.data)), left)
	x.data, left = x.data[n:], left-n
	buffer := make([]byte, min(left, copyBuffer))
	deadline := time.Now().Add(discardTime)
	for left > 0 {
		_ = x.sock.SetReadDeadline(deadline) // sockets have deadlines
		n, err := x.sock.Read(buffer[:min(left, copyBuffer)])
		if err != nil {
			return false
		}
		left -= int64(n)
	}
	return true
}

// streams reports whether bodies of requests go to the workers as they arrive.
func (c Config) streams(asgi bool) bool {
	switch c.RequestBuffering {
	case "on":
		return false
	case "off":
		return true
	}
	return asgi
}

// appendStreamed appends the place of a streamed body in a request message.
func appendStreamed(b []byte, h *http1.Head) []byte {
	if h.Chunked {
		return dispatch.AppendInt(b, -1)
	}
	return dispatch.AppendInt(b, h.ContentLength)
}
