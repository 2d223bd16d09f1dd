package settings

import "fmt"

// ValueError reports a text that a setting refuses. Its Source tells the
// caller whose mistake it is: [CommandLine] is wrong usage, anything else wrong
// configuration.
type ValueError struct {
	Setting Setting
	Source  Source
	Origin  string // what to look for: "--workers", "WEB_CONCURRENCY"
	Text    string // the text as it was written
	Err     error  // the reason and the remedy
}

// Error names setting, origin, text, reason and remedy in one line.
func (e *ValueError) Error() string {
	return fmt.Sprintf("setting %s: %s is %q: %v", e.Setting.Name, e.Origin, e.Text, e.Err)
}

// Unwrap returns the reason.
func (e *ValueError) Unwrap() error { return e.Err }

// UnknownError reports that a source named a setting that does not exist.
type UnknownError struct {
	Name   string
	Source Source
}

// Error names the setting and the source that mentioned it.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%s names a setting that does not exist: %q", e.Source, e.Name)
}
