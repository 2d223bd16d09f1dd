package http1

// trailerName keeps the beginning of a trailer's name in lower case, as far as
// is needed to tell the forbidden ones; longer names are none of them.
type trailerName struct {
	text [len("transfer-encoding")]byte
	n    int // bytes of the name, counted past the end of text
}

// trailerByte takes one byte of the trailer section (RFC 9112 §7.1.2). Trailers
// are checked like fields, for a line that means something to another reader
// must not pass here as a comment, and then dropped.
func (c *Chunked) trailerByte(b byte) *Error {
	if c.tail++; c.tail > MaxTrailer {
		return refuse(431, "trailers too long")
	}
	switch c.state {
	case atTrailer:
		if b == '\r' {
			c.state = atEndLF
			return nil
		}
		c.state, c.name.n = atTrailerName, 0
		return c.trailerNameByte(b)
	case atTrailerName:
		return c.trailerNameByte(b)
	case atTrailerValue:
		if b == '\r' {
			c.state = atTrailerLF
			return nil
		}
		if class[b]&isValue == 0 {
			return refuse(400, "control character in a trailer")
		}
		return nil
	case atTrailerLF:
		return c.expect(b, '\n', atTrailer, "carriage return without line feed in a trailer")
	}
	return c.expect(b, '\n', chunkedDone, "carriage return without line feed after the last chunk")
}

func (c *Chunked) trailerNameByte(b byte) *Error {
	n := &c.name
	if b == ':' && n.n > 0 {
		if n.n <= len(n.text) && forbiddenTrailer(n.text[:n.n]) {
			return refuse(400, "trailer that belongs in the head")
		}
		c.state = atTrailerValue
		return nil
	}
	if class[b]&isToken == 0 {
		return refuse(400, "malformed trailer name")
	}
	if n.n < len(n.text) {
		n.text[n.n] = lower(b)
	}
	n.n++
	return nil
}

// forbiddenTrailer names the fields for framing, routing and authentication
// that RFC 9110 §6.5.1 bars from trailers and Gunicorn refuses there.
func forbiddenTrailer(name []byte) bool {
	switch string(name) {
	case "authorization", "content-length", "host", "te", "trailer", "transfer-encoding":
		return true
	}
	return false
}
