package websocket

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
)

// readAhead is the buffer of a Reader. Payloads longer than it go past it.
const readAhead = 4 << 10

// Reader takes what a client sends apart into messages:
//
//	for {
//		kind, err := r.Next()      // waits for a message to begin
//		io.Copy(somewhere, &r)     // reads it to its end
//	}
//
// The error of Next and Read is [*Closed] when the client said goodbye, [*Error]
// when it broke the protocol, and otherwise that of the reader underneath. After
// any error but io.EOF of Read the conversation is over. One goroutine may use a
// Reader at a time.
type Reader struct {
	in      *bufio.Reader
	limit   int64
	pool    *Pool // nil: compressed messages are a breach
	control func(op Opcode, payload []byte) error

	header     Header
	at         int64 // bytes of the frame that were read
	open       bool  // a message has begun and its last frame has not
	kind       Opcode
	compressed bool
	wire       int64 // bytes of the message as sent
	size       int64 // bytes of the message that came out
	text       text
	inflater   io.ReadCloser
	tail       string // what of tail the inflater has still to see
	room       [MaxControl]byte
}

// NewReader makes a Reader over in, which should wait for bytes and is never asked
// for none. limit bounds a message in bytes after inflating, pool is nil if
// compression was not agreed to. control is called for each ping and pong, also
// those between fragments, with a payload that is good until it returns; its error
// ends the conversation.
func NewReader(in io.Reader, limit int64, pool *Pool, control func(op Opcode, payload []byte) error) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, readAhead), limit: limit, pool: pool, control: control}
}

// Next waits for the next message to begin and returns its kind, Text or Binary.
// The message before it must have been read to its end.
func (r *Reader) Next() (Opcode, error) {
	if err := r.frame(); err != nil {
		return 0, err
	}
	r.kind, r.compressed = r.header.Opcode, r.header.Compressed
	r.size, r.text = 0, text{}
	if r.compressed {
		r.inflater, r.tail = r.pool.inflater((*payload)(r)), tail
	}
	return r.kind, nil
}

// Read reads the message, and returns io.EOF at its end.
func (r *Reader) Read(p []byte) (int, error) {
	var n int
	var err error
	if r.compressed {
		n, err = r.inflate(p)
	} else {
		n, err = (*payload)(r).Read(p)
	}
	r.size += int64(n)
	if r.size > r.limit {
		return 0, r.fail(tooBig())
	}
	if r.kind == Text && (!r.text.add(p[:n]) || err == io.EOF && !r.text.complete()) {
		return 0, r.fail(&Error{Code: CodeInvalid, Reason: "text is not UTF-8"})
	}
	if err != nil && err != io.EOF {
		return n, r.fail(err)
	}
	return n, err
}

// Buffered returns what was read from underneath and belongs to no message that Next has
// returned. The message before must have been read to its end; it is good until the next
// call.
func (r *Reader) Buffered() []byte {
	b, _ := r.in.Peek(r.in.Buffered()) // it is there
	return b
}

func tooBig() error { return &Error{Code: CodeTooBig, Reason: "message too big"} }

// fail gives the inflater back, for the conversation ends here.
func (r *Reader) fail(err error) error {
	r.inflater = nil // it may be in the middle of something; the collector takes it
	return err
}

// inflate reads from the inflater. What follows a final block of the client's is
// read away: it says nothing (RFC 7692 section 7.2.3.4).
func (r *Reader) inflate(p []byte) (int, error) {
	n, err := r.inflater.Read(p)
	var corrupt flate.CorruptInputError
	read := !r.open && r.at == r.header.Length && r.tail == ""
	switch {
	case err == io.EOF:
		r.tail = ""
		if _, err := io.Copy(io.Discard, (*payload)(r)); err != nil {
			return n, err
		}
		r.pool.keepInflater(r.inflater)
		r.inflater, r.compressed = nil, false
		return n, io.EOF
	case errors.As(err, &corrupt), err == io.ErrUnexpectedEOF && read:
		return n, &Error{Code: CodeInvalid, Reason: "compressed data is damaged"}
	}
	return n, err
}

// payload reads the bytes of the message as they were sent, unmasked, and after
// the last of them the tail for the inflater.
type payload Reader

func (r *payload) Read(p []byte) (int, error) {
	for r.at == r.header.Length {
		switch {
		case r.open:
			if err := (*Reader)(r).frame(); err != nil {
				return 0, cutOff(err)
			}
		case len(r.tail) > 0:
			n := copy(p, r.tail)
			r.tail = r.tail[n:]
			return n, nil
		default:
			return 0, io.EOF
		}
	}
	n, err := r.in.Read(p[:min(int64(len(p)), r.header.Length-r.at)])
	Unmask(p[:n], r.header.Mask, r.at)
	r.at += int64(n)
	if n > 0 {
		return n, nil // an error will come again
	}
	return 0, cutOff(err)
}

// cutOff makes an end in the middle of a message one that does not pass for its
// end.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frame reads headers up to that of the next data frame, and acts on the control
// frames before it.
func (r *Reader) frame() error {
	for {
		if err := r.readHeader(); err != nil {
			return err
		}
		h := &r.header
		switch {
		case h.Opcode.IsControl():
			if err := r.controlFrame(); err != nil {
				return err
			}
			continue
		case r.open != (h.Opcode == Continuation):
			return violation("fragments out of order")
		case h.Compressed && (r.pool == nil || r.open):
			return violation("compressed frame where none may be")
		}
		if !r.open {
			r.wire = 0
		}
		r.open = !h.Fin
		// Told before a byte is taken; a little more than the limit, because what
		// cannot be compressed grows.
		r.wire += h.Length
		if r.wire < 0 || r.wire > r.limit+r.limit/64+64 {
			return tooBig()
		}
		return nil
	}
}

func (r *Reader) readHeader() error {
	for need := 2; ; {
		b, err := r.in.Peek(need)
		if err != nil {
			return err
		}
		n, err := r.header.Parse(b)
		if err != nil {
			return err
		}
		if n > 0 {
			_, _ = r.in.Discard(n) // they are there
			r.at = 0
			return nil
		}
		switch b[1] &^ maskBit {
		case length64:
			need = MaxHeader
		case length16:
			need = MaxHeader - 6
		default:
			need = MaxHeader - 8
		}
	}
}

func (r *Reader) controlFrame() error {
	p := r.room[:r.header.Length]
	if _, err := io.ReadFull(r.in, p); err != nil {
		return err
	}
	Unmask(p, r.header.Mask, 0)
	op := r.header.Opcode
	r.at, r.header.Length = 0, 0
	if op == Close {
		return parseClose(p)
	}
	return r.control(op, p)
}
