package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/settings"
)

// errNotResumed reports a program that ended well without having looked at the service
// that it was to go on with.
var errNotResumed = errors.New("its arguments mean something else to it")

// takeResume takes what an image before this one left in the environment, where nobody
// else is to see it.
func (p *process) takeResume() (err error) {
	p.resume, err = master.NewResume(p.getenv(master.ResumeVariable), p.getenv(master.ReturnedVariable))
	p.env = without(p.env, master.ResumeVariable, master.ReturnedVariable)
	if p.resume != nil {
		p.signals.takeOver() // at once: those that come before it may end the process
	}
	return err
}

// without leaves variables out of an environment.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}

// carryOn is execute for a process that may be one image of several. If it is to go on
// with a service and cannot, whatever it is that keeps it from that, the image before
// is executed again, and this does not return.
func carryOn(ctx context.Context, p process) (err error) {
	if p.resume == nil {
		return execute(ctx, p)
	}
	defer func() {
		fault := recover()
		switch {
		case fault != nil && p.resume.Taken():
			panic(fault) // nobody else could go on
		case fault != nil:
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		case err == nil && !p.resume.Taken():
			err = errNotResumed
		}
		if err != nil {
			cfg := master.Config{Args: p.args, Env: p.env, Signals: p.signals.channel}
			if p.signals.channel != nil {
				cfg.HoldSignals = p.signals.hold
			}
			err = p.resume.Return(cfg, err)
		}
	}()
	return execute(ctx, p)
}

// binaryPath is where this binary was started from: what the first argument means to a
// shell, so that a symbolic link is followed anew at each reload. Where that is another
// file (whoever started us may have given any name), it is what the kernel says.
func binaryPath(p process) string {
	if len(p.args) == 0 {
		return p.executable
	}
	name := p.args[0]
	if strings.Contains(name, "/") {
		name = p.path(name)
	}
	path, err := findExecutable(name, p.getenv("PATH"))
	if err != nil {
		return p.executable
	}
	there, err := os.Stat(path)
	if err != nil {
		return p.executable
	}
	ours, err := os.Stat("/proc/self/exe")
	if err != nil || !os.SameFile(there, ours) || !filepath.IsAbs(path) {
		return p.executable
	}
	return path
}

// descriptorPrefix begins the name of a file that the process holds open.
const descriptorPrefix = "/proc/self/fd/"

// keptDescriptors are those of a configuration that indrik.run handed to us: the
// arguments name them, so they mean the same to another image with these arguments.
func keptDescriptors(p process, options settings.Layer) []int {
	arguments, err := fromArguments(p.getenv(argumentsVariable))
	if err != nil {
		return nil // it was refused already
	}
	item, _ := settings.Strongest("config", arguments, settings.FromEnvironment(p.getenv), options)
	name := strings.TrimPrefix(strings.TrimPrefix(item.Text(), "-"), tomlPrefix)
	number, found := strings.CutPrefix(name, descriptorPrefix)
	fd, err := strconv.Atoi(number)
	if !found || err != nil || fd < 3 {
		return nil
	}
	return []int{fd}
}
