package http1

import "strconv"

// Sizes used where nothing else is configured. The first three are Gunicorn's
// defaults for limit_request_line, limit_request_fields and
// limit_request_field_size; the last has no counterpart there and keeps the
// product of the others (800 KB) from being what a client may make us hold.
const (
	DefaultLine      = 4094
	DefaultFields    = 100
	DefaultFieldSize = 8190
	DefaultHead      = 64 << 10
)

// MaxMethod is the longest method accepted, in bytes; the longest registered
// one, UPDATEREDIRECTREF, has 17.
const MaxMethod = 20

// Limits bounds what one request head may hold. It is only read, so one value
// may serve any number of connections. A zero or negative Line, Fields or
// FieldSize means that only Head limits it, as 0 does in Gunicorn; a zero or
// negative Head means [DefaultHead], because something must be the limit.
type Limits struct {
	Line      int // bytes of the request line, without its CRLF
	Fields    int // number of field lines
	FieldSize int // bytes of one field line, without its CRLF
	Head      int // bytes of the whole head, with every CRLF
}

// DefaultLimits returns the limits named by the Default constants.
func DefaultLimits() Limits {
	return Limits{
		Line:      DefaultLine,
		Fields:    DefaultFields,
		FieldSize: DefaultFieldSize,
		Head:      DefaultHead,
	}
}

func (l *Limits) head() int {
	if l.Head <= 0 {
		return DefaultHead
	}
	return l.Head
}

// over reports whether n exceeds limit, where limit is set at all.
func over(n, limit int) bool { return limit > 0 && n > limit }

// An Error says why a request was refused. After one the connection cannot be
// used again: where the next request would begin is unknown.
type Error struct {
	Status int    // 400, 414, 417, 431, 501 or 505
	Reason string // the rule that was broken; one of this package's own phrases, so safe to log
	Offset int    // where the offending line begins in the bytes given; for a body, the offending byte
}

func (e *Error) Error() string {
	return "refuse request with " + strconv.Itoa(e.Status) + ": " + e.Reason +
		" at byte " + strconv.Itoa(e.Offset)
}

func refuse(status int, reason string) *Error {
	return &Error{Status: status, Reason: reason}
}
