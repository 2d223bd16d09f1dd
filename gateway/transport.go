package gateway

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// transport carries the bytes of one client: a plain socket, or TLS over one. Its
// calls block until the deadline that was set last has passed. One exchange uses
// it at a time; it need not be safe for more.
type transport interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error

	// writePieces sends what the pieces hold, in their order, and as one call
	// where that is possible. The pieces are not kept and not changed.
	writePieces(pieces ...[]byte) error

	// sendPart sends up to length bytes of file from offset, which leaves the
	// file's own position alone, and returns how many: fewer than were asked for
	// when it suits, 0 without an error at the end of the file.
	sendPart(file *os.File, offset, length int64) (int, error)
}

// plain is a transport that is the socket itself.
type plain struct {
	*os.File
	copies  bool // files are read and written; see Config.CopyFiles
	figures *Figures
}

// Read reads and counts.
func (p plain) Read(b []byte) (int, error) {
	n, err := p.File.Read(b)
	add(&p.figures.Received, n)
	return n, err
}

// Write writes and counts.
func (p plain) Write(b []byte) (int, error) {
	n, err := p.File.Write(b)
	add(&p.figures.Sent, n)
	return n, err
}

func (p plain) writePieces(pieces ...[]byte) error {
	raw, err := p.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var errno error
	err = raw.Write(func(fd uintptr) bool {
		n, errno = unix.Writev(int(fd), pieces)
		return errno != unix.EAGAIN && errno != unix.EINTR
	})
	if err == nil && errno != nil {
		err = os.NewSyscallError("writev", errno)
	}
	add(&p.figures.Sent, max(n, 0))
	for _, piece := range pieces {
		if err != nil {
			return err
		}
		skip := min(n, len(piece))
		n -= skip
		if skip < len(piece) {
			_, err = p.Write(piece[skip:])
		}
	}
	return err
}

// sendStep bounds one sendfile(2), so that the write deadline starts anew often
// enough for a slow client that does read.
const sendStep = 1 << 20

// copyStep bounds what is read of a file at a time where sendfile(2) may not be
// used.
const copyStep = 64 << 10

func (p plain) sendPart(file *os.File, offset, length int64) (int, error) {
	if p.copies {
		return p.copyPart(file, offset, length)
	}
	raw, err := p.SyscallConn()
	if err != nil {
		return 0, err
	}
	from := int(file.Fd())
	var n int
	var errno error
	err = raw.Write(func(to uintptr) bool {
		n, errno = syscall.Sendfile(int(to), from, &offset, int(min(length, sendStep)))
		return errno != unix.EAGAIN && errno != unix.EINTR
	})
	if err == nil && errno != nil {
		err = os.NewSyscallError("sendfile", errno)
	}
	add(&p.figures.Sent, max(n, 0))
	return n, err
}

// copyPart is sendPart without sendfile(2).
func (p plain) copyPart(file *os.File, offset, length int64) (int, error) {
	piece := make([]byte, min(length, copyStep))
	n, err := file.ReadAt(piece, offset)
	if n == 0 {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return 0, err
	}
	return p.Write(piece[:n]) // what could not be read will be asked for again
}
