package dispatch

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLarge reports a message of more than MaxMessage bytes, or one with
	// more than MaxFDs descriptors. It was not sent, or was received and dropped
	// with all its descriptors; the channel can still be used.
	ErrTooLarge = errors.New("message too large")

	// ErrDescriptorsLost reports a message that arrived without all of its
	// descriptors (MSG_CTRUNC, recvmsg(2)): there were more than MaxFDs, or this
	// process may open no more files. The message was dropped and the descriptors
	// that did arrive were closed; the channel can still be used.
	ErrDescriptorsLost = errors.New("descriptors lost")
)

// A SyntaxError reports that a message is not a value of the subset, or that the
// value found is not of the kind that was asked for.
type SyntaxError struct {
	Offset int    // byte of the message at which the value in question begins
	What   string // what is wrong there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("marshal data at offset %d: %s", e.Offset, e.What)
}
