package programs

import "errors"

var (
	// ErrStart reports that the program cannot be executed: no such file, not
	// executable, or its user cannot be assumed.
	ErrStart = errors.New("program cannot be started")

	// ErrBoot reports that a program ended, or was too slow, before one of it was
	// ever ready.
	ErrBoot = errors.New("program did not become ready")

	// errLeaving answers an order for a worker that nobody wants any more.
	errLeaving = errors.New("the service or the generation is leaving")
)
