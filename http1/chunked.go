package http1

import (
	"math"
	"strconv"
)

// Bounds of what a chunked body may carry beside its data.
const (
	// MaxExtension is by how many bytes the chunk extensions of a body may run
	// ahead of its data; data does not save up for later extensions. They mean
	// nothing to us; unbounded, they make us read for ever without a byte of body.
	MaxExtension = 4 << 10
	// MaxTrailer bounds the bytes of the trailer section.
	MaxTrailer = 8 << 10
)

// Chunked decodes a chunked body (RFC 9112 §7.1) as it comes. The zero value
// is at the start of a body; to begin another one assign Chunked{}. It holds no
// part of either buffer.
type Chunked struct {
	state  chunkState
	digits uint8 // of the current chunk size
	size   int64 // of the current chunk, then what is left of it
	excess int   // bytes of extensions beyond those of data
	tail   int   // bytes of trailers
	name   trailerName
	failed Error
}

type chunkState uint8

const (
	atSize      chunkState = iota
	atBlank                // blanks between size and extension
	atExtension            // between ';' and CR
	atSizeLF               // LF of the size line
	atData
	atDataCR
	atDataLF
	atTrailer     // first byte of a trailer, or CR of the empty line
	atTrailerName // between that and ':'
	atTrailerValue
	atTrailerLF
	atEndLF
	chunkedDone
	chunkedFailed
)

// Decode takes what it can from src and puts body bytes into dst. It returns
// how many bytes it wrote and how many it took; done means that the body and
// its trailers ended, and that src[nSrc:] is the next request. When neither
// done nor err, either src is used up or dst is full.
//
// dst may share memory with src if both begin at the same byte: nothing is
// written that was not read before. err is an [*Error] with status 400, or 431
// for too long trailers; it is final, and what was written before it may be
// used only to be thrown away. After done Decode takes nothing more.
func (c *Chunked) Decode(dst, src []byte) (nDst, nSrc int, done bool, err error) {
	for nSrc < len(src) && c.state < chunkedDone {
		if c.state == atData {
			have := min(int64(len(src)-nSrc), c.size)
			n := copy(dst[nDst:], src[nSrc:][:have])
			if n == 0 {
				break // dst is full
			}
			nDst, nSrc = nDst+n, nSrc+n
			c.excess = max(0, c.excess-n)
			if c.size -= int64(n); c.size == 0 {
				c.state = atDataCR
			}
			continue
		}
		if e := c.framing(src[nSrc]); e != nil {
			e.Offset = nSrc
			c.state, c.failed = chunkedFailed, *e
			break
		}
		nSrc++
	}
	if c.state == chunkedFailed {
		e := c.failed
		return nDst, nSrc, false, &e
	}
	return nDst, nSrc, c.state == chunkedDone, nil
}

// framing takes one byte that is not data.
func (c *Chunked) framing(b byte) *Error {
	switch c.state {
	case atSize:
		return c.sizeByte(b)
	case atBlank:
		if b == ' ' || b == '\t' {
			return c.extension()
		}
		return c.expect(b, ';', atExtension, "malformed chunk size")
	case atExtension:
		if b == '\r' {
			c.state = atSizeLF
			return nil
		}
		if class[b]&isValue == 0 {
			return refuse(400, "control character in a chunk extension")
		}
		return c.extension()
	case atSizeLF:
		next := atData
		if c.size == 0 {
			next = atTrailer
		}
		c.digits = 0
		return c.expect(b, '\n', next, "carriage return without line feed after a chunk size")
	case atDataCR:
		return c.expect(b, '\r', atDataLF, "chunk longer than its size")
	case atDataLF:
		return c.expect(b, '\n', atSize, "chunk longer than its size")
	}
	return c.trailerByte(b)
}

// expect moves on if b is the byte that must come.
func (c *Chunked) expect(b, want byte, next chunkState, otherwise string) *Error {
	if b != want {
		return refuse(400, otherwise)
	}
	c.state = next
	return nil
}

// extension counts one byte of an extension.
func (c *Chunked) extension() *Error {
	if c.excess++; c.excess > MaxExtension {
		return refuse(400, "chunk extensions too long")
	}
	return nil
}

// sizeByte takes a byte of a chunk size: at most 16 hexadecimal digits, leading
// zeros included, and no number that an int64 cannot hold. Blanks may stand
// between it and an extension, but not at the end of the line.
func (c *Chunked) sizeByte(b byte) *Error {
	if class[b]&isHex != 0 {
		if c.digits == 16 || c.size > math.MaxInt64>>4 {
			return refuse(400, "chunk size too large to count")
		}
		if c.digits == 0 {
			c.size = 0
		}
		c.digits++
		c.size = c.size<<4 | int64(hexValue(b))
		return nil
	}
	if c.digits == 0 {
		return refuse(400, "malformed chunk size")
	}
	switch b {
	case '\r':
		c.state = atSizeLF
	case ';':
		c.state = atExtension
	case ' ', '\t':
		c.state = atBlank
		return c.extension()
	default:
		return refuse(400, "malformed chunk size")
	}
	return nil
}

// hexValue is the value of a hexadecimal digit.
func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}

// AppendChunk appends data as one chunk. For no data it appends nothing: a
// chunk of size zero would end the body.
func AppendChunk(b, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	b = AppendChunkSize(b, int64(len(data)))
	b = append(b, data...)
	return append(b, "\r\n"...)
}

// AppendChunkSize appends the line before n bytes of data, for data that does
// not pass through b; "\r\n" must follow the data. n must be above 0.
func AppendChunkSize(b []byte, n int64) []byte {
	b = strconv.AppendInt(b, n, 16)
	return append(b, "\r\n"...)
}

// AppendLastChunk appends the end of a chunked body, without trailers.
func AppendLastChunk(b []byte) []byte { return append(b, "0\r\n\r\n"...) }
