package main

import (
	"errors"
	"fmt"

	"github.com/indrik/indrik/control"
	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/programs"
	"github.com/indrik/indrik/settings"
)

// The exit statuses, which scripts and units rely on; doc.go explains them.
const (
	exitOK     = 0
	exitConfig = 1
	exitUsage  = 2
	exitBoot   = 3
	exitLoad   = 4

	exitUnreachable = 3 // of commands that ask a running service: none answers
)

// exitStatus is the one place that turns an error into a status.
func exitStatus(err error) int {
	var usage *usageError
	var refused *settings.ValueError
	var nobody *control.UnreachableError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &nobody):
		return exitUnreachable
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused) && refused.Source == settings.CommandLine:
		return exitUsage
	case errors.Is(err, master.ErrLoad), errors.Is(err, programs.ErrStart):
		return exitLoad
	case errors.Is(err, master.ErrBoot), errors.Is(err, programs.ErrBoot):
		return exitBoot
	}
	return exitConfig
}

// usageError reports that the program was called wrongly. Its text holds the
// remedy.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}
