package main

import (
	"os"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/programs"
)

// thisProcess is the process we really are, with the real roles.
func thisProcess() process {
	executable, err := os.Executable()
	if err != nil {
		// Without /proc nothing else would work either; the master says so when
		// it starts the gateway from this name.
		executable = os.Args[0]
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "" // it was removed: the master says so when it looks itself
	}
	return process{
		dir:        dir,
		args:       os.Args,
		env:        os.Environ(),
		pid:        os.Getpid(),
		executable: executable,
		stdout:     os.Stdout,
		stderr:     os.Stderr,
		master:     master.Run,
		gateway:    gateway.Run,
		programs:   programs.Run,
		check:      master.Check,
		examine:    master.Examine,
		preflight:  master.Preflight,
	}
}
