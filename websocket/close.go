package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Close codes (RFC 6455 section 7.4.1 and IANA's registry).
const (
	CodeNormal        = 1000
	CodeGoingAway     = 1001
	CodeProtocol      = 1002 // the other side broke the protocol
	CodeNone          = 1005 // never sent: a close frame without a code
	CodeAbnormal      = 1006 // never sent: no close frame came
	CodeInvalid       = 1007 // text that is not UTF-8
	CodeTooBig        = 1009
	CodeInternalError = 1011
	CodeRestart       = 1012 // the service restarts; come again
)

// MaxReason is how many bytes of UTF-8 the reason of a close frame may have.
const MaxReason = MaxControl - 2

// Error is a breach of the protocol by the client: the connection fails with
// Code (RFC 6455 section 7.1.7).
type Error struct {
	Code   int
	Reason string // fit for a close frame: plain words, quoting nothing of the client's
}

func (e *Error) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

func violation(reason string) error { return &Error{Code: CodeProtocol, Reason: reason} }

// Closed is the error of a [Reader] whose client sent a close frame.
type Closed struct {
	Code   int // CodeNone if the frame had none
	Reason string
}

func (c *Closed) Error() string {
	return fmt.Sprintf("websocket: closed by the client with code %d, reason %q", c.Code, c.Reason)
}

// ValidCode reports whether a close frame may carry this code.
func ValidCode(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// AppendClose appends a close frame. With CodeNone it carries nothing. The caller
// has checked code and the length of reason.
func AppendClose(b []byte, code int, reason string) []byte {
	if code == CodeNone {
		return AppendHeader(b, Close, true, false, 0)
	}
	b = AppendHeader(b, Close, true, false, int64(2+len(reason)))
	return append(binary.BigEndian.AppendUint16(b, uint16(code)), reason...)
}

// parseClose reads the payload of a client's close frame.
func parseClose(p []byte) error {
	if len(p) == 0 {
		return &Closed{Code: CodeNone}
	}
	if len(p) == 1 {
		return violation("close frame with half a code")
	}
	code := int(binary.BigEndian.Uint16(p))
	if !ValidCode(code) {
		return violation(fmt.Sprintf("close code %d is not for the wire", code))
	}
	if !utf8.Valid(p[2:]) {
		return &Error{Code: CodeInvalid, Reason: "reason of a close frame is not UTF-8"}
	}
	return &Closed{Code: code, Reason: string(p[2:])}
}
