package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/programs"
	"github.com/indrik/indrik/settings"
)

// process is everything that run takes from the process it runs in, so that a
// test can run one inside itself. It is not changed once made.
type process struct {
	args       []string // as in os.Args: the first is the program's name
	env        []string // as in os.Environ
	pid        int
	executable string           // absolute path of the binary, as it was at start
	dir        string           // working directory at the start, to which paths are relative also later; "" is the current one
	develop    bool             // the command is `indrik dev`
	usual      []settings.Layer // what the command says of settings by itself
	stdout     *os.File
	stderr     *os.File

	signals *signals       // received from when the master begins
	resume  *master.Resume // the service that this image is to go on with; nil for none

	master   func(context.Context, master.Config) error
	gateway  func(context.Context, gateway.Process) error
	programs func(context.Context, programs.Config) error
	check    func(ctx context.Context, c master.Config, load bool) error
	examine  func(context.Context, master.Config) (master.Findings, error)
	// preflight answers on the channel.
	preflight func(ctx context.Context, c master.Config, channel int) error
}

// run is the program. It returns the exit status once everything it started
// has ended; cancelling ctx is up to the role to obey.
func run(ctx context.Context, p process) int {
	if status, asked := becomeWorker(p); asked {
		return status
	}
	p.signals = &signals{}
	err := p.takeResume()
	if err == nil {
		err = carryOn(ctx, p)
	}
	if err != nil {
		// If stderr cannot be written, the status is the only word left.
		_, _ = fmt.Fprint(p.stderr, complaint(err, underJournal(p.stderr, p.getenv)))
	}
	return exitStatus(err)
}

// arguments are the words for Cobra. Those of a program are not ours to join.
func arguments(p process) []string {
	args := scaleArgs(asGenerator(p.args))[1:]
	if len(args) > 0 && args[0] == "exec" {
		return args
	}
	return newFlags().join(args)
}

// execute does what the arguments say.
func execute(ctx context.Context, p process) error {
	root := newRoot(p)
	root.SetArgs(arguments(p))
	return root.ExecuteContext(ctx)
}

// complaint is the last line a user sees. The journal is told by the prefix
// that it is an error (sd-daemon(3)), in each line it makes of the text.
func complaint(err error, journal bool) string {
	text := "indrik: " + err.Error()
	if journal {
		text = "<3>" + strings.ReplaceAll(text, "\n", "\n<3>")
	}
	return text + "\n"
}

// path is a path as it was meant at the start: the master may have changed its
// working directory since.
func (p process) path(name string) string {
	if p.dir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}

// getenv looks a variable up, as os.Getenv would: "" if it is not set, and the
// first of two with one name.
func (p process) getenv(key string) string {
	for _, pair := range p.env {
		if name, value, ok := strings.Cut(pair, "="); ok && name == key {
			return value
		}
	}
	return ""
}
