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

// What [Limits.Clamp] holds its values to. The first two are Gunicorn's.
const (
	MaxLine   = 8190
	MaxFields = 32768
	MaxHead   = 1 << 20 // bytes of a head that a client may make us hold, whatever is configured
)

// Limits bounds what one request head may hold, and says what beyond the strict
// syntax it may hold. It is only read, so one value may serve any number of
// connections. A zero or negative Line, Fields or FieldSize means that only
// Head limits it; a zero or negative Head means [DefaultHead], because
// something must be the limit. Values from settings go through [Limits.Clamp].
type Limits struct {
	Line      int // bytes of the request line, without its CRLF
	Fields    int // number of fields, also of those that the environ leaves out
	FieldSize int // bytes of one field with its CRLF, and with its continuations if it is folded
	Head      int // bytes of the whole head, with every CRLF

	Permit Permissions
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

// Clamp gives the values of limit_request_line, limit_request_fields and
// limit_request_field_size in l the meaning they have in Gunicorn:
//
//   - Line: 0 is no limit but Head; negative or above [MaxLine] is MaxLine.
//   - Fields: 0, negative or above [MaxFields] is MaxFields.
//   - FieldSize: 0 or negative is [DefaultFieldSize]. Gunicorn's manual says
//     that 0 is no limit; its WSGI parser does as is said here.
//
// Head, which Gunicorn has not, is [DefaultHead] if it is 0 or negative, and
// then as much more as Line and FieldSize are above their defaults, so that a
// limit that was raised is worth something. It is never above [MaxHead].
func (l Limits) Clamp() Limits {
	if l.Line < 0 || l.Line > MaxLine {
		l.Line = MaxLine
	}
	if l.Fields <= 0 || l.Fields > MaxFields {
		l.Fields = MaxFields
	}
	if l.FieldSize <= 0 {
		l.FieldSize = DefaultFieldSize
	}
	l.FieldSize = min(l.FieldSize, MaxHead)
	if l.Head <= 0 {
		l.Head = DefaultHead + max(0, l.Line-DefaultLine) + max(0, l.FieldSize-DefaultFieldSize)
	}
	l.Head = min(l.Head, MaxHead)
	return l
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
