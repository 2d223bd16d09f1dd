package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/settings"
	"github.com/spf13/cobra"
)

// newRoot makes the command that serves an application, with the others below
// it. Cobra parses; what the options mean, and every word of the help text,
// comes from the registry.
func newRoot(p process) *cobra.Command {
	flags := newFlags()
	var shell *string
	root := &cobra.Command{
		Use:           "indrik [OPTIONS] MODULE[:APP]",
		Version:       versionText(),
		SilenceErrors: true, // run prints them once
		SilenceUsage:  true, // a page of help would push the error off the screen
		Args:          checkArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if *shell != "" {
				return complete(cmd.Root(), p.stdout, *shell)
			}
			return serve(cmd.Context(), p, args, flags.layer())
		},
	}
	flags.add(root.Flags())
	flags.complete(root)
	shell = addCompletion(root)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetVersionTemplate("indrik {{.Version}}\n")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = fmt.Fprint(cmd.OutOrStdout(), usage()) })
	root.SetFlagErrorFunc(flagError)
	// Without these an application in a module called "completion" or "help"
	// could not be served by its name.
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Use: "-help", Hidden: true})
	root.AddCommand(newGateway(p), newUnitFiles(p))
	if completing(p) {
		addWords(root, p)
		return root
	}
	if other := command(p); other != nil {
		root.AddCommand(other)
	}
	root.AddCommand(controls(p)...)
	return root
}

// checkArgs accepts at most one application. Whether there is one of that name
// only Python can tell.
func checkArgs(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("one application can be served, got %s; give one as MODULE:APP, options apart", strings.Join(args, " "))
	}
	return nil
}

// serve is the master's role: settle the settings, then hand over. With a
// configuration file in Python they are settled by the master, once a mold has run
// the file.
func serve(ctx context.Context, p process, args []string, options settings.Layer) error {
	programs, err := wantsPrograms(p, args, options)
	switch {
	case p.resume != nil: // it is the service that it was
	case err != nil:
		return err
	case programs && p.develop:
		return usagef("indrik dev serves Python applications, and the setting exec names a program; use indrik exec for that")
	case programs:
		return servePrograms(ctx, p, func() ([]settings.Layer, error) { return gatherTOML(p, options) })
	}
	out := newOutput(p.stderr, underJournal(p.stderr, p.getenv), p.pid)
	out.events, out.colours = newEvents(out.journal), p.colours(p.stderr)
	defer out.Close()
	log := newLog(out, "info")
	cfg := newConfig(p, log)
	cfg.Development = p.develop
	cfg.Logs, cfg.Counts = out, out.counts
	cfg.Path, cfg.Keep = binaryPath(p), keptDescriptors(p, options)
	cfg.HoldSignals, cfg.Resume = p.signals.hold, p.resume
	if !isDirectory(args) {
		cfg.App = strings.Join(args, "") // one or none
	}
	cfg.Read = func() (master.Reading, error) {
		return look(p, args, options, resolve)
	}
	cfg.InForce = func(values *settings.Values) { inForce(p, log, values) }
	if p.resume != nil { // the settings are those of the image before, until they are read
		return p.master(ctx, cfg)
	}
	first, err := look(p, args, options, func(args []string, layers ...settings.Layer) (*settings.Values, error) {
		return settle(p, args, log, layers...)
	})
	if err != nil {
		return err
	}
	cfg.Settings, cfg.Script = first.Settings, first.Script
	return p.master(ctx, cfg)
}

// newConfig is what the master takes from the process, without application and
// settings.
func newConfig(p process, log hclog.Logger) master.Config {
	return master.Config{
		Env:        p.env,
		PID:        p.pid,
		Executable: p.executable,
		Args:       p.args,
		Stdout:     p.stdout,
		Stderr:     p.stderr,
		Version:    version,
		Log:        log,
		Signals:    p.signals.receive(),
	}
}

// decider makes settings of what all sources say; args is the application if one was
// given.
type decider func(args []string, layers ...settings.Layer) (*settings.Values, error)

// look reads the configuration, at the start and for each reload. Options and
// environment are those of the start: a process cannot be given others.
func look(p process, args []string, options settings.Layer, decide decider) (master.Reading, error) {
	said, err := gather(p, options)
	if err != nil {
		return master.Reading{}, err
	}
	args, more := project(p, args, said.layers)
	said.layers = append(said.layers, more...)
	python, err := findPython(p, said.layers)
	if err != nil {
		return master.Reading{}, err
	}
	if said.script == "" {
		values, err := decide(args, append(said.layers, python)...)
		return master.Reading{Settings: values}, err
	}
	return master.Reading{Script: master.Script{
		Name: said.script, Python: python.Items[0].Texts[0],
		Decide: func(script settings.Layer) (*settings.Values, error) {
			return decide(args, append(said.layers, script, python)...)
		},
	}}, nil
}

// settle decides the settings of a start, which are in force at once.
func settle(p process, args []string, log hclog.Logger, layers ...settings.Layer) (*settings.Values, error) {
	values, err := resolve(args, layers...)
	if err == nil && values.PrintConfig() {
		err = printConfig(p.stdout, values)
	}
	if err != nil {
		return nil, err
	}
	inForce(p, log, values)
	return values, nil
}

// resolve decides what the settings are.
func resolve(args []string, layers ...settings.Layer) (*settings.Values, error) {
	values, err := judge(layers...)
	if err == nil {
		err = checkApp(args, values)
	}
	if err == nil {
		err = checkNoPrograms(values)
	}
	if err != nil {
		return nil, err
	}
	return values, nil
}

// inForce does what settings mean for this process itself, and warns of those
// that mean nothing.
func inForce(p process, log hclog.Logger, values *settings.Values) {
	log.SetLevel(logLevel(values.LogLevel()))
	tellIdle(log, values)
	tellDevelopment(p, log, values)
}

// judge resolves the layers and refuses what the registry cannot.
func judge(layers ...settings.Layer) (*settings.Values, error) {
	values, err := settings.Resolve(layers...)
	if err == nil {
		err = checkBind(values)
	}
	if err == nil {
		err = checkLogs(values)
	}
	return values, err
}

// tellIdle warns of settings that were set and have no effect.
func tellIdle(log hclog.Logger, values *settings.Values) {
	for _, s := range values.Idle() {
		log.Warn("setting has no effect", "setting", s.Name, "from", values.Origin(s.Name), "instead", s.Instead)
	}
}

// checkBind refuses addresses that cannot be read, as it is done for any other
// option: the registry itself knows nothing of sockets.
func checkBind(values *settings.Values) error {
	for _, text := range values.Bind() {
		if _, err := activation.ParseBind(text); err != nil {
			bind, _ := settings.ByName("bind")
			return &settings.ValueError{
				Setting: bind, Source: values.Source("bind"), Origin: values.Origin("bind"), Text: text, Err: err,
			}
		}
	}
	return nil
}
