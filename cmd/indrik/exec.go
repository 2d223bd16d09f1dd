package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/programs"
	"github.com/indrik/indrik/settings"
)

// becomeWorker is the role of a process that the master of programs has started: to
// become one. It comes before everything else, because every start of a worker
// waits for it.
func becomeWorker(p process) (status int, asked bool) {
	if len(p.args) < 2 || p.args[1] != programs.ShimCommand {
		return 0, false
	}
	err := programs.Become(p.args[2:], p.env, p.pid)
	_, _ = fmt.Fprint(p.stderr, complaint(err, underJournal(p.stderr, p.getenv)))
	return programs.StatusExec, true
}

// newExec makes the command that runs any program as the worker:
//
//	indrik exec [OPTIONS] [--] PROGRAM [ARGUMENT...]
func newExec(p process) *cobra.Command {
	flags := newFlags()
	command := &cobra.Command{
		Use: "exec [OPTIONS] [--] PROGRAM [ARGUMENT...]",
		RunE: func(cmd *cobra.Command, args []string) error {
			options := flags.layer()
			if len(args) > 0 {
				options.Items = append(options.Items, settings.Item{Name: "exec", Texts: args, Origin: "the command line"})
			}
			said, err := gatherTOML(p, options)
			if err != nil {
				return err
			}
			if item, source := settings.Strongest("exec", said...); source == settings.Default || len(item.Texts) == 0 {
				return usagef("no program given; name it behind the options, like indrik exec -w 2 -- ./server")
			}
			return servePrograms(cmd.Context(), p, func() ([]settings.Layer, error) { return gatherTOML(p, options) })
		},
	}
	flags.add(command.Flags())
	flags.complete(command)
	// What follows the program is the program's.
	command.Flags().SetInterspersed(false)
	command.SetFlagErrorFunc(flagError)
	command.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = fmt.Fprint(cmd.OutOrStdout(), execUsage()) })
	return command
}

// wantsPrograms reports whether a start without a word on the command line that says
// so is one of programs: the setting exec is there.
func wantsPrograms(p process, args []string, options settings.Layer) (bool, error) {
	said, err := gather(p, options)
	if err != nil {
		return false, nil // whoever reads it to serve from it will say what is wrong
	}
	item, source := settings.Strongest("exec", said.layers...)
	if source == settings.Default || len(item.Texts) == 0 {
		return false, nil
	}
	if len(args) > 0 {
		return false, usagef("%s names a program, and %q an application; name one of them", item.Origin, args[0])
	}
	return true, nil
}

// gatherTOML asks every source about settings of programs. There is no Python, so a
// configuration file must be TOML; GUNICORN_CMD_ARGS is about applications.
func gatherTOML(p process, options settings.Layer) ([]settings.Layer, error) {
	s := said{layers: []settings.Layer{
		settings.FromPlatform(p.getenv), settings.FromEnvironment(p.getenv), options,
	}}
	file, err := configFile(p, s.layers)
	if err != nil || file == "" || file == standardScript {
		return s.layers, err // a file for Gunicorn that lies here means nothing to a program
	}
	if err := s.read(p, file); err != nil {
		return nil, err
	}
	if s.script != "" {
		return nil, fmt.Errorf("configuration file %s is Python, which programs do without; name one that ends in .toml", file)
	}
	return s.layers, nil
}

// servePrograms is the master's role where the workers are programs. read is called
// for the start and for each reload.
func servePrograms(ctx context.Context, p process, read func() ([]settings.Layer, error)) error {
	out := newOutput(p.stderr, underJournal(p.stderr, p.getenv), p.pid)
	out.events = newEvents(out.journal)
	out.colours = p.colours(p.stderr)
	defer out.Close()
	log := newLog(out, "info")
	look := func() (*settings.Values, error) {
		layers, err := read()
		if err != nil {
			return nil, err
		}
		values, err := judge(layers...)
		if err == nil {
			err = checkPrograms(values)
		}
		return values, err
	}
	inForce := func(values *settings.Values) {
		log.SetLevel(logLevel(values.LogLevel()))
		for _, s := range foreign(values, settings.Environment) {
			log.Warn("setting has no effect", "setting", s.Name, "from", values.Origin(s.Name), "instead", "it is not about programs")
		}
	}
	values, err := look()
	if err == nil && values.PrintConfig() {
		err = printConfig(p.stdout, values)
	}
	if err != nil {
		return err
	}
	inForce(values)
	cfg := programs.Config{
		Settings: values, Read: look, InForce: inForce,
		Env: p.env, PID: p.pid, Path: binaryPath(p), Stdout: p.stdout, Stderr: p.stderr, Version: version,
		Log: log, Logs: out,
	}
	if values.CheckConfig() || values.PrintConfig() {
		return programs.Check(cfg)
	}
	cfg.Signals = p.signals.receive()
	return p.programs(ctx, cfg)
}

// foreign are the settings of those sources that were set and mean nothing for
// programs.
func foreign(values *settings.Values, from ...settings.Source) []settings.Setting {
	return slices.DeleteFunc(settings.All(), func(s settings.Setting) bool {
		return s.ForPrograms() || !slices.Contains(from, values.Source(s.Name))
	})
}

// checkPrograms refuses settings that mean nothing for programs where somebody wrote
// them for this service. What stands in the environment may be there for another.
func checkPrograms(values *settings.Values) error {
	for _, s := range foreign(values, settings.CommandLine, settings.ConfigFile) {
		return usagef("%s means nothing where the worker is a program: nothing of Indrik is between it and its clients; leave it out", values.Origin(s.Name))
	}
	return nil
}

// checkNoPrograms refuses settings of programs where the workers are Python's.
func checkNoPrograms(values *settings.Values) error {
	for _, s := range settings.All() {
		if s.Group == settings.Programs && s.Name != "exec" && values.Source(s.Name) > settings.Environment {
			return usagef("%s is about programs; use it with indrik exec, or leave it out", values.Origin(s.Name))
		}
	}
	return nil
}

// execUsage is what indrik exec --help prints.
func execUsage() string {
	var b strings.Builder
	b.WriteString(`Usage: indrik exec [OPTIONS] [--] PROGRAM [ARGUMENT...]

Keep copies of a program that takes its sockets from systemd (LISTEN_FDS): they
share listeners, are replaced when they end, and are exchanged one generation
for the next at SIGHUP.
`)
	for _, g := range settings.Groups() {
		title := false
		for _, s := range settings.All() {
			if s.Group != g || !s.ForPrograms() || s.Name == "exec" {
				continue
			}
			if !title {
				fmt.Fprintf(&b, "\n%s:\n", g)
				title = true
			}
			option(&b, s.Short, s.Option(), describe(s))
		}
	}
	b.WriteString(`
Exit status: 0 served and stopped, 1 could not serve, 2 called wrongly, 3 the
program did not become ready, 4 it could not be started.
`)
	return b.String()
}
