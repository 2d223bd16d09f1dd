package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/settings"
)

// fromFile is the value of the option --app without one: the application is that of
// the file.
const fromFile = "-"

// tomlPrefix is for a file of TOML whose name does not end so: toml:PATH.
const tomlPrefix = "toml:"

// newCheck makes the command that checks configuration files, for deployments:
//
//	indrik check FILE... [--app[=MODULE:APP]] [--python PATH]
//
// Only the file counts: not what the environment says here, which is not that of the
// service.
func newCheck(p process) *cobra.Command {
	options := newFlags("python")
	app := ""
	command := &cobra.Command{
		Use: "check FILE...",
		RunE: func(cmd *cobra.Command, files []string) error {
			bad := 0
			for _, file := range files {
				if err := checkFile(cmd.Context(), p, options.layer(), file, app); err != nil {
					bad++
					_, _ = fmt.Fprintln(p.stderr, named(file, err)) // the status says it too
					continue
				}
				_, _ = fmt.Fprintf(p.stdout, "%s: ok\n", file)
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d configuration files cannot be used", bad, len(files))
			}
			return nil
		},
	}
	options.add(command.Flags())
	command.Flags().StringVar(&app, "app", "", "load the application too")
	command.Flags().Lookup("app").NoOptDefVal = fromFile
	command.SetFlagErrorFunc(flagError)
	return command
}

// checkFile resolves one file, and with an application loads that.
func checkFile(ctx context.Context, p process, options settings.Layer, file, app string) error {
	found := said{layers: []settings.Layer{variableOf("python", p.getenv), options}}
	if err := found.read(p, file); err != nil {
		return err
	}
	python, err := findPython(p, found.layers)
	if err != nil {
		return err
	}
	cfg := newConfig(p, newLog(newOutput(p.stderr, underJournal(p.stderr, p.getenv), p.pid), "warn"))
	if app != fromFile {
		cfg.App = app
	}
	cfg.Script = master.Script{Name: found.script, Python: python.Items[0].Texts[0]}
	cfg.Script.Decide = func(script settings.Layer) (*settings.Values, error) {
		values, err := judge(append(found.layers, script, python)...)
		if err == nil && app != "" {
			err = checkApp(appArgs(cfg.App), values)
		}
		if err == nil {
			tellIdle(cfg.Log, values)
		}
		return values, err
	}
	if found.script == "" {
		if cfg.Settings, err = cfg.Script.Decide(settings.Layer{}); err != nil {
			return err
		}
	}
	return p.check(ctx, cfg, app != "")
}

// variableOf is what the variable of one setting says.
func variableOf(name string, env func(string) string) settings.Layer {
	layer := settings.FromEnvironment(env)
	layer.Items = slices.DeleteFunc(layer.Items, func(i settings.Item) bool { return i.Name != name })
	return layer
}

// appArgs are the arguments that an application's name stands for.
func appArgs(app string) []string {
	if app == "" {
		return nil
	}
	return []string{app}
}

// named is an error that begins with the file's name, once.
func named(file string, err error) string {
	if text := err.Error(); strings.HasPrefix(text, file+":") {
		return text
	}
	return file + ": " + err.Error()
}

// read reads a configuration file, or takes note of one that only Python can read.
func (s *said) read(p process, file string) error {
	file, isTOML := strings.CutPrefix(file, tomlPrefix)
	if !isTOML && !strings.HasSuffix(file, ".toml") {
		if !strings.HasPrefix(file, "python:") {
			if _, err := os.Stat(p.path(file)); err != nil {
				return err
			}
		}
		s.script = absolute(p, file) // --chdir is obeyed before a mold starts
		return nil
	}
	keepFromChildren(file)
	text, err := os.ReadFile(p.path(file))
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	layer, err := settings.FromTOML(file, text)
	s.layers = append(s.layers, layer)
	return err
}

// keepFromChildren closes the descriptor of /proc/self/fd/N in the programs that we
// start. indrik.run (python/indrik/launch.py) hands us its settings so, and has to
// leave the descriptor open over an exec.
func keepFromChildren(file string) {
	if number, ok := strings.CutPrefix(file, "/proc/self/fd/"); ok {
		if fd, err := strconv.Atoi(number); err == nil {
			unix.CloseOnExec(fd)
		}
	}
}
