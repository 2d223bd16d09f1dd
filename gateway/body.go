package gateway

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

const (
	memoryBody = 1 << 20   // bodies up to this declared length are kept in a memfd
	copyBuffer = 128 << 10 // of one exchange whose client is fast
	slowBuffer = 4 << 10   // of one whose client has not filled this yet
)

// continueLine asks for the body (RFC 9110 section 10.1.1).
const continueLine = "HTTP/1.1 100 Continue\r\n\r\n"

// sink takes a body piece by piece. It does not keep the pieces.
type sink interface{ write(p []byte) error }

// collect reads the whole body of h into the spool, and asks for it if the
// client waits for that.
func (x *exchange) collect(h *http1.Head, into *spool) error {
	if h.Expect100 && len(x.data) == 0 && !x.write([]byte(continueLine)) {
		return errClientLeft
	}
	return x.receive(h, into)
}

// receive reads the body of h, which begins in x.data. What was read beyond it
// stays there. Its error is errClientLeft, errSlow, a *http1.Error or the
// sink's.
func (x *exchange) receive(h *http1.Head, into sink) error {
	length := max(h.ContentLength, 0)
	if x.buffer == nil && (h.Chunked || int64(len(x.data)) < length) {
		x.buffer = make([]byte, slowBuffer)
	}
	if h.Chunked {
		return x.receiveChunked(into)
	}
	return x.receiveLength(length, into)
}

func (x *exchange) receiveLength(left int64, into sink) error {
	n := min(int64(len(x.data)), left)
	if err := into.write(x.data[:n]); err != nil {
		return err
	}
	x.data = x.data[n:]
	for left -= n; left > 0; left -= n {
		got, err := x.read(x.buffer[:min(int64(len(x.buffer)), left)])
		if err != nil {
			return err
		}
		if err := into.write(x.buffer[:got]); err != nil {
			return err
		}
		n = int64(got)
		x.widen(got)
	}
	return nil
}

// widen makes the buffer as large as it may be, with what is in it, once that has
// filled it: a client that trickles must not cost what a fast one does.
func (x *exchange) widen(filled int) {
	if filled == len(x.buffer) && filled < copyBuffer {
		wide := make([]byte, copyBuffer)
		copy(wide, x.buffer)
		x.buffer = wide
	}
}

func (x *exchange) receiveChunked(into sink) error {
	var decoder http1.Chunked
	for {
		// Decoding in place is safe: what comes out is never ahead of what went in.
		n, used, done, err := decoder.Decode(x.data, x.data)
		if err != nil {
			return err
		}
		if err := into.write(x.data[:n]); err != nil {
			return err
		}
		x.data = x.data[used:]
		if done {
			x.data = append([]byte(nil), x.data...) // out of the buffer
			return nil
		}
		if used > 0 && len(x.data) > 0 {
			continue
		}
		kept := copy(x.buffer, x.data)
		more, err := x.read(x.buffer[kept:])
		if err != nil {
			return err
		}
		x.widen(kept + more)
		x.data = x.buffer[:kept+more]
	}
}

// spool holds a request's body until it is complete: small ones in memory, as
// they will travel inside the message, larger ones in a memfd or in a file
// without a name, so that neither gateway nor worker ever holds them.
type spool struct {
	dir    string
	limit  int64 // of size; 0 for none
	expect int64 // declared length, -1 if unknown
	size   int64
	memory []byte
	file   *os.File

	reserved reservation // for the file
}

func newSpool(g *gateway, expect int64) *spool {
	return &spool{
		dir: g.config.spoolDir(), limit: g.config.BodyLimit, expect: expect,
		reserved: reservation{of: g.spooled},
	}
}

// write appends p. Its error wraps errSpool, or is errBodyTooLarge or
// errSpoolFull.
func (s *spool) write(p []byte) error {
	s.size += int64(len(p))
	if s.limit > 0 && s.size > s.limit {
		return errBodyTooLarge
	}
	if s.file == nil && s.size <= inlineBody {
		s.memory = append(s.memory, p...)
		return nil
	}
	if !s.reserved.add(s.size - s.reserved.bytes) {
		return errSpoolFull
	}
	if s.file == nil {
		file, err := s.open()
		if err != nil {
			return fmt.Errorf("%w: %w", errSpool, err)
		}
		s.file = file
		if _, err := s.file.Write(s.memory); err != nil {
			return fmt.Errorf("%w: %w", errSpool, err)
		}
		s.memory = nil
	}
	if _, err := s.file.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	return nil
}

// open makes the file: in memory if the body is known to be of middle size,
// else on disk.
func (s *spool) open() (*os.File, error) {
	if s.expect >= 0 && s.expect <= memoryBody {
		if fd, err := unix.MemfdCreate("indrik-body", unix.MFD_CLOEXEC); err == nil {
			return os.NewFile(uintptr(fd), "memfd"), nil
		}
	}
	return openSpool(s.dir)
}

// openSpool makes a file without a name. A file system without O_TMPFILE gets a
// name that is removed at once.
func openSpool(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir), nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EINVAL) {
		return nil, &os.PathError{Op: "create a file without name in", Path: dir, Err: err}
	}
	file, err := os.CreateTemp(dir, "indrik-body-")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// finish appends the body's place in a request message to b and returns the
// file that goes beside it, if it needs one.
func (s *spool) finish(b []byte) ([]byte, *os.File, error) {
	if s.file == nil {
		return dispatch.AppendBytes(b, s.memory), nil, nil
	}
	if _, err := s.file.Seek(0, 0); err != nil {
		return b, nil, fmt.Errorf("%w: %w", errSpool, err)
	}
	return dispatch.AppendNone(b), s.file, nil
}

// close gives up a body that is not dispatched.
func (s *spool) close() {
	s.reserved.release()
	if s.file != nil {
		_ = s.file.Close() // an unlinked file that nobody will read
	}
}
