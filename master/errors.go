package master

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrLoad reports that the application cannot be loaded: no such module, an
	// error while it was imported, no such attribute, or not callable. Trying
	// again without a change of the application is pointless.
	ErrLoad = errors.New("application cannot be loaded")

	// ErrBoot reports that a worker, or the mold it is forked from, failed
	// before the service ever served, for another reason than [ErrLoad].
	ErrBoot = errors.New("worker failed to boot")
)

// bootFailure is why a generation did not come up. Its text is what
// the worker wrote about it, a traceback as a rule, and is printed raw because
// people and their tools read tracebacks as they are.
type bootFailure struct {
	kind   error  // ErrLoad, ErrBoot or ErrConfig
	what   string // what was being done: `load app:application`
	reason string // one line
	text   string // everything the worker said, or ""
}

func (f *bootFailure) Error() string {
	return fmt.Sprintf("%s: %v: %s", f.what, f.kind, f.reason)
}

func (f *bootFailure) Unwrap() error { return f.kind }

// Traceback is what the application said, whole.
func (f *bootFailure) Traceback() string { return f.text }

// lastLine returns the last line of text that is not blank: of a traceback, the
// exception.
func lastLine(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

// firstLine returns text up to its first line break.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
