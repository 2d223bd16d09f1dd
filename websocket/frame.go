package websocket

import (
	"encoding/binary"
	"fmt"
)

// Opcode is the kind of a frame (RFC 6455 section 5.2).
type Opcode uint8

const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xa
)

// IsControl reports whether frames of this kind may stand between the fragments
// of a message.
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

const (
	// MaxControl is how many bytes a control frame may carry.
	MaxControl = 125
	// MaxHeader is the length of the longest frame header, that of a client.
	MaxHeader = 14

	finBit    = 0x80
	rsv1Bit   = 0x40
	rsvOthers = 0x30
	maskBit   = 0x80
	length16  = 126 // two bytes of length follow
	length64  = 127 // eight bytes follow
)

// Header is the head of a frame that a client sent.
type Header struct {
	Fin        bool
	Compressed bool // RSV1 (RFC 7692 section 6)
	Opcode     Opcode
	Length     int64 // bytes of payload that follow
	Mask       [4]byte
}

// Parse reads a header from the start of b and returns its length, 0 when more
// bytes are needed. What holds for every single frame is checked here: known
// opcode, no reserved bits, masked, shortest form of the length, and for control
// frames their size and that they are whole. The error is an [*Error].
func (h *Header) Parse(b []byte) (n int, err error) {
	if len(b) < 2 {
		return 0, nil
	}
	*h = Header{Fin: b[0]&finBit != 0, Compressed: b[0]&rsv1Bit != 0, Opcode: Opcode(b[0] & 0xf)}
	if err := h.checkFirst(b[0], b[1]); err != nil {
		return 0, err
	}
	n = 2
	switch size := b[1] &^ maskBit; size {
	case length16:
		n += 2
	case length64:
		n += 8
	default:
		h.Length = int64(size)
	}
	if len(b) < n+len(h.Mask) {
		return 0, nil
	}
	switch n {
	case 4:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		if h.Length < length16 {
			return 0, violation("length of a frame not in its shortest form")
		}
	case 10:
		length := binary.BigEndian.Uint64(b[2:])
		if length>>63 != 0 || length <= 0xffff {
			return 0, violation("length of a frame not in its shortest form, or negative")
		}
		h.Length = int64(length)
	}
	return n + copy(h.Mask[:], b[n:]), nil
}

// checkFirst refuses what the first two bytes of a frame show to be wrong.
func (h *Header) checkFirst(first, second byte) error {
	switch h.Opcode {
	case Continuation, Text, Binary, Close, Ping, Pong:
	default:
		return violation(fmt.Sprintf("unknown opcode %#x", uint8(h.Opcode)))
	}
	switch {
	case first&rsvOthers != 0:
		return violation("reserved bit set")
	case second&maskBit == 0:
		return violation("frame of a client without a mask")
	case !h.Opcode.IsControl():
		return nil
	case h.Compressed:
		return violation("compressed control frame")
	case !h.Fin:
		return violation("fragmented control frame")
	case second&^maskBit > MaxControl:
		return violation("control frame of more than 125 bytes")
	}
	return nil
}

// Unmask removes (or applies) a mask. at is how many bytes of the same frame came
// before p.
func Unmask(p []byte, mask [4]byte, at int64) {
	var key [8]byte
	for i := range key {
		key[i] = mask[(at+int64(i))&3]
	}
	word := binary.NativeEndian.Uint64(key[:])
	i := 0
	for ; i+8 <= len(p); i += 8 {
		binary.NativeEndian.PutUint64(p[i:], binary.NativeEndian.Uint64(p[i:])^word)
	}
	for ; i < len(p); i++ {
		p[i] ^= key[i&7]
	}
}

// AppendHeader appends the header of a frame of the server, which is never
// masked: length bytes must follow.
func AppendHeader(b []byte, op Opcode, fin, compressed bool, length int64) []byte {
	first := byte(op)
	if fin {
		first |= finBit
	}
	if compressed {
		first |= rsv1Bit
	}
	switch {
	case length < length16:
		return append(b, first, byte(length))
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, first, length16), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(b, first, length64), uint64(length))
}

// AppendFrame appends a whole, uncompressed frame.
func AppendFrame(b []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(b, op, true, false, int64(len(payload))), payload...)
}
