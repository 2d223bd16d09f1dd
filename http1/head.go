package http1

import "bytes"

// A Field is one field line. Both slices point into the buffer that was parsed
// and must not be written to; only the Value of a folded field, where
// [Permissions] let one through, is in memory of the Head and good until its
// next Parse. Name is as sent, a token of at least one byte; Value is without
// the blanks around it and may be empty.
type Field struct{ Name, Value []byte }

// Head is a parsed request head. The zero value is ready for [Head.Parse]; the
// exported fields mean something only after Parse has returned true, and until
// the buffer it was given is changed. One goroutine may use a Head at a time.
//
// A loop that serves many connections needs only one Head for those whose
// heads arrive whole, and one more for each connection that stands in the
// middle of a head.
type Head struct {
	// Method is a token of [MinMethod] to [MaxMethod] bytes without lower-case
	// letters and '#', unless [Permissions] say otherwise. Case matters (RFC 9110
	// §9.1). It is in memory of the Head if it was changed to upper case.
	Method []byte
	// Target is the request-target as sent: visible ASCII without '#'. Bytes
	// above 0x7f are refused (RFC 9112 §3.2 has no place for them). Visible
	// ones that RFC 3986 wants percent-encoded, like | and {, are let through,
	// because browsers send them and they cannot be misread.
	Target []byte
	Form   Form
	Minor  int // 0 or 1; what is above 1.1 is served as 1.1 (RFC 9110 §2.5), what is below 1.0 as 1.0

	Path     []byte // raw, as sent; "/" where an absolute-form has none, "*" for [AsteriskForm], empty for [AuthorityForm]
	Query    []byte // raw, without the '?'
	HasQuery bool   // there was a '?', perhaps with nothing after it

	Authority []byte // of the target if it has one, else Host (RFC 9112 §3.2.2): what the request is for
	Host      []byte // value of the Host field; nil if there was none (HTTP/1.0), perhaps empty

	Fields []Field // in the order sent; the array is used again by the next Parse

	ContentLength int64 // bytes of the body; -1 if no Content-Length was sent
	Chunked       bool  // the body is chunked; without this and Content-Length there is no body
	KeepAlive     bool  // the client will reuse the connection, by Connection or by its version's default
	Expect100     bool  // the client may wait for 100 (Continue) before it sends the body; never set for HTTP/1.0
	Upgrade       bool  // Connection names upgrade; never set for HTTP/1.0 (RFC 9110 §7.8)

	Size int // bytes of the head, from the start of the buffer to the end of the last CRLF

	// room holds what could not stay where it was read: folded values and
	// methods in upper case. It is used again by the next Parse, grows to no
	// more than Limits.Head, and stays nil as long as nothing is permitted.
	room []byte

	progress
}

// progress is how far a head that comes in pieces has been read.
type progress struct {
	stage stage
	pos   int // where the first line not yet parsed begins
	scan  int // where to look for the next LF; before it, from pos, only those of folds
	fold  int // where the last continuation of a folded field begins
	have  int // bytes given to the last call

	crlf                                  bool // the empty line before the request line was seen
	host, contentType, transferEncoding   bool // such a field was seen
	closeItem, keepAliveItem, upgradeItem bool // such an item of Connection was seen
}

type stage uint8

const (
	atRequestLine stage = iota
	atFields
	ended // complete or refused; the next Parse begins anew
)

// Reset forgets what was parsed, and any head begun, but keeps the array of
// Fields. It is needed only to abandon a head in the middle.
func (h *Head) Reset() { *h = Head{Fields: h.Fields[:0], room: h.room[:0]} }

// Parse reads one head from the start of buf, which may hold more after it. It
// returns true when the head is complete, and false when more bytes are needed:
// call it again with a buffer, the same or another, that begins with the same
// bytes and has more. (With fewer bytes than before a new head is begun.) The error is always an [*Error] and means that no bytes to
// come could make the head acceptable. After true or an error the next call
// begins a new head. lim must not be nil, and the same for all calls of a head.
//
// One empty line (CRLF) before the request line is skipped, as RFC 9112 §2.2
// asks; a second one is refused.
func (h *Head) Parse(buf []byte, lim *Limits) (complete bool, err error) {
	if h.stage == ended || len(buf) < h.have {
		h.Reset()
	}
	if h.scan == 0 {
		h.ContentLength = -1
	}
	h.have = len(buf)
	resumed := h.pos > 0
	complete, e := h.lines(buf, lim)
	switch {
	case e != nil:
		e.Offset = h.pos
		h.stage = ended
		return false, e
	case complete && resumed:
		// What was parsed by earlier calls points into their buffers. Parsing
		// once more, now that all is there, costs less than to keep offsets
		// for every head, and at most doubles the work for one that was split.
		h.Reset()
		return h.Parse(buf, lim)
	}
	return complete, nil
}

// lines parses every whole line of the head that buf has and checks the rest.
// On an error pos is left at the beginning of the offending line.
func (h *Head) lines(buf []byte, lim *Limits) (complete bool, err *Error) {
	for {
		n := bytes.IndexByte(buf[h.scan:], '\n')
		if n < 0 {
			err = h.unfinished(buf, lim)
			h.scan = len(buf)
			return false, err
		}
		next := h.scan + n + 1
		line := buf[h.pos : next-1]
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return false, refuse(400, "line feed without carriage return")
		}
		if next > lim.head() {
			return false, refuse(431, "head too large")
		}
		line = line[:len(line)-1]
		if lim.Permit.ObsoleteFolding && h.stage == atFields && len(line) > 0 {
			more, err := h.continues(buf, next, lim)
			if err != nil || next == len(buf) {
				return false, err
			}
			if more {
				continue
			}
		}
		switch {
		case len(line) > 0 && h.stage == atFields:
			err = h.field(line, lim)
		case len(line) > 0:
			err = h.requestLine(line, lim)
			h.stage = atFields
		case h.stage == atFields:
			h.Size = next
			return true, h.finish()
		case h.crlf:
			err = refuse(400, "empty lines before the request line")
		default:
			h.crlf = true
		}
		if err != nil {
			return false, err
		}
		h.pos, h.scan = next, next
	}
}

// unfinished refuses the beginning of a line that cannot become a good one. It
// looks only at what came since the last call (and at the method), and refuses
// nothing that the whole line would not be refused for.
func (h *Head) unfinished(buf []byte, lim *Limits) *Error {
	if len(buf) >= lim.head() {
		return refuse(431, "head too large")
	}
	line := buf[h.pos:]
	// The last byte of an earlier call was not judged if it was a CR.
	fresh := buf[max(h.pos, h.fold, h.scan-1):]
	if n := len(line); n > 0 && line[n-1] == '\n' { // only of a field that may be folded
		line, fresh = line[:n-1], fresh[:len(fresh)-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line, fresh = line[:n-1], fresh[:len(fresh)-1]
	}
	if len(line) == 0 {
		return nil
	}
	if h.stage == atRequestLine {
		return unfinishedRequestLine(line, fresh, lim)
	}
	if over(len(line)+len("\r\n"), lim.FieldSize) {
		return refuse(431, "field line too long")
	}
	if line[0] == ' ' || line[0] == '\t' {
		return refuse(400, "folded field line")
	}
	if !validValue(fresh) {
		return refuse(400, "control character in a field line")
	}
	return nil
}

// finish checks what can be known only at the end of the head, and derives
// what depends on several fields.
func (h *Head) finish() *Error {
	if h.Minor == 1 && !h.host {
		return refuse(400, "no Host field")
	}
	if h.Form == OriginForm || h.Form == AsteriskForm {
		h.Authority = h.Host
	}
	h.KeepAlive = !h.closeItem && (h.Minor == 1 || h.keepAliveItem)
	h.Upgrade = h.upgradeItem && h.Minor == 1
	h.stage = ended
	return nil
}
