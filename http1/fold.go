package http1

import "bytes"

// continues is for a field line that ends before next, where folding is permitted: a
// blank there continues the field (obs-fold, RFC 9112 §5.2), and a field is
// parsed only when it is whole, so that nothing of it is kept between calls.
// If buf ends at next that cannot be told yet, and continues only looks for faults,
// as unfinished does.
func (h *Head) continues(buf []byte, next int, lim *Limits) (bool, *Error) {
	if next == len(buf) {
		err := h.unfinished(buf, lim)
		h.scan = next - 1 // to find the same LF again
		return false, err
	}
	if blanks(buf[next:next+1]) == 0 {
		return false, nil
	}
	// A fault in this line need not wait for the end of the field.
	if !validValue(buf[max(h.pos, h.fold) : next-len("\r\n")]) {
		return false, refuse(400, "control character in a field line")
	}
	h.fold, h.scan = next, next
	return true, nil
}

// unfold takes the value of a field, which is not valid as it stands, for a
// folded one and joins its lines with one space. Without a line end inside,
// which only folding lets through to here, it is no such value.
//
// Host, Content-Length and Transfer-Encoding may not be folded: nobody who
// means well needs more than a line for them, and a reader in front of us that
// stops at the line end would see another request than we do. So would one
// that takes a line of blanks for the end of the head.
func (h *Head) unfold(f Field) ([]byte, *Error) {
	switch {
	case bytes.IndexByte(f.Value, '\n') < 0:
		return nil, refuse(400, "control character in a field value")
	case equalFold(f.Name, "host"), equalFold(f.Name, "content-length"), equalFold(f.Name, "transfer-encoding"):
		return nil, refuse(400, "folded Host, Content-Length or Transfer-Encoding")
	}
	begin, rest := len(h.room), f.Value
	for first, more := true, true; more; first = false {
		var line []byte
		line, rest, more = bytes.Cut(rest, []byte("\r\n"))
		line = trim(line)
		if !validValue(line) {
			return nil, refuse(400, "control character in a field value")
		}
		if len(line) == 0 && !first {
			return nil, refuse(400, "line of blanks in a folded field")
		}
		if len(h.room) > begin {
			h.room = append(h.room, ' ')
		}
		h.room = append(h.room, line...)
	}
	return h.room[begin:len(h.room):len(h.room)], nil
}
