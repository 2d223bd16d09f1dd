package websocket

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Pool shares the tables of compress/flate between conversations. The zero value
// is ready; it may be used by any number of goroutines and must not be copied.
type Pool struct {
	inflaters sync.Pool // of io.ReadCloser that are flate.Resetter
	unpackers sync.Pool // of *unpacker
	deflaters sync.Pool // of *flate.Writer
}

// tail ends a message for the inflater: the empty block that the sender left out
// (RFC 7692 section 7.2.2), and a last one, so that it sees the end.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// trimmed is what a sender leaves out at the end of a message.
const trimmed = "\x00\x00\xff\xff"

func (p *Pool) inflater(from io.Reader) io.ReadCloser {
	if r, ok := p.inflaters.Get().(io.ReadCloser); ok {
		if err := r.(flate.Resetter).Reset(from, nil); err == nil {
			return r
		}
	}
	return flate.NewReader(from)
}

func (p *Pool) keepInflater(r io.ReadCloser) {
	// It must not keep the conversation it read from alive.
	if err := r.(flate.Resetter).Reset(bytes.NewReader(nil), nil); err == nil {
		p.inflaters.Put(r)
	}
}

// AppendInflated appends to b what a compressed message says whose payload came whole, in
// one frame. It reports false if that is more than limit bytes or damaged; then a [Reader]
// tells which, and what was appended is of no use. payload is not changed and not kept.
func (p *Pool) AppendInflated(b, payload []byte, limit int) ([]byte, bool) {
	u, again := p.unpackers.Get().(*unpacker)
	if !again {
		u = &unpacker{}
		u.inflater = flate.NewReader(u)
	}
	u.rest, u.tail = payload, tail
	defer func() {
		u.rest = nil
		p.unpackers.Put(u)
	}()
	if u.inflater.(flate.Resetter).Reset(u, nil) != nil {
		return b, false
	}
	for end := len(b) + limit; len(b) <= end; {
		b = slices.Grow(b, 1)
		n, err := u.inflater.Read(b[len(b):min(cap(b), end+1)])
		b = b[:len(b)+n]
		if err != nil {
			return b, err == io.EOF && len(b) <= end
		}
	}
	return b, false
}

// unpacker is an inflater and what it reads: a payload, and behind it the tail.
type unpacker struct {
	inflater io.ReadCloser
	rest     []byte
	tail     string
}

func (u *unpacker) Read(p []byte) (int, error) {
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	if n == 0 {
		n = copy(p, u.tail)
		u.tail = u.tail[n:]
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// ReadByte lets the inflater do without a buffer of its own.
func (u *unpacker) ReadByte() (byte, error) {
	var b [1]byte
	_, err := u.Read(b[:])
	return b[0], err
}

// Deflate writes what from holds to the writer to, compressed as one message with
// a window of its own. Errors are those of from and to.
func (p *Pool) Deflate(to io.Writer, from io.Reader) error {
	cut := &trimmer{to: to}
	w, ok := p.deflaters.Get().(*flate.Writer)
	if ok {
		w.Reset(cut)
	} else {
		var err error
		if w, err = flate.NewWriter(cut, flate.BestSpeed); err != nil {
			return fmt.Errorf("make a compressor: %w", err)
		}
	}
	_, err := io.Copy(w, from)
	if err == nil {
		err = w.Flush()
	}
	w.Reset(io.Discard)
	p.deflaters.Put(w)
	if err == nil && string(cut.held) != trimmed {
		err = fmt.Errorf("compressed data ends with %x, want %x", cut.held, trimmed)
	}
	return err
}

// trimmer passes all on but the last four bytes.
type trimmer struct {
	to   io.Writer
	held []byte
	room [2 * len(trimmed)]byte
}

func (t *trimmer) Write(p []byte) (int, error) {
	keep := len(trimmed)
	if len(p) < keep {
		joined := append(append(t.room[:0], t.held...), p...)
		over := max(len(joined)-keep, 0)
		if _, err := t.to.Write(joined[:over]); err != nil {
			return 0, err
		}
		t.held = append(t.held[:0], joined[over:]...)
		return len(p), nil
	}
	if _, err := t.to.Write(t.held); err != nil {
		return 0, err
	}
	if _, err := t.to.Write(p[:len(p)-keep]); err != nil {
		return 0, err
	}
	t.held = append(t.held[:0], p[len(p)-keep:]...)
	return len(p), nil
}
