package main

import (
	"context"
	"fmt"
	"strings"

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
	root := &cobra.Command{
		Use:           "indrik [OPTIONS] MODULE[:APP]",
		Version:       version,
		SilenceErrors: true, // run prints them once
		SilenceUsage:  true, // a page of help would push the error off the screen
		Args:          checkApp,
		RunE: func(cmd *cobra.Command, args []string) error {
			return serve(cmd.Context(), p, args[0], flags.layer())
		},
	}
	flags.add(root.Flags())
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetVersionTemplate("indrik {{.Version}}\n")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = fmt.Fprint(cmd.OutOrStdout(), usage()) })
	root.SetFlagErrorFunc(flagError)
	// Without these an application in a module called "completion" or "help"
	// could not be served by its name.
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Use: "-help", Hidden: true})
	root.AddCommand(newGateway(p))
	return root
}

// checkApp accepts exactly one application. Whether there is one of that name
// only Python can tell.
func checkApp(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("no application given; name it as MODULE:APP, like indrik hello:app")
	case len(args) > 1:
		return usagef("one application can be served, got %s; give one as MODULE:APP, options apart", strings.Join(args, " "))
	case strings.TrimSpace(args[0]) == "" || strings.HasPrefix(args[0], ":"):
		return usagef("application %q names no module; name it as MODULE:APP, like indrik hello:app", args[0])
	}
	return nil
}

// serve is the master's role: settle the settings, then hand over.
func serve(ctx context.Context, p process, app string, options settings.Layer) error {
	layers := []settings.Layer{settings.FromPlatform(p.getenv), settings.FromEnvironment(p.getenv), options}
	values, err := settings.Resolve(layers...)
	if err != nil {
		return err
	}
	if err := checkBind(values); err != nil {
		return err
	}
	python, err := findPython(values, p.getenv)
	if err != nil {
		return err
	}
	if values, err = settings.Resolve(append(layers, python)...); err != nil {
		return err
	}
	return p.master(ctx, master.Config{
		App:        app,
		Settings:   values,
		Env:        p.env,
		PID:        p.pid,
		Executable: p.executable,
		Args:       p.args,
		Stdout:     p.stdout,
		Stderr:     p.stderr,
		Version:    version,
		Log:        newLog(p.stderr, values.LogLevel(), underJournal(p.stderr, p.getenv)),
		Signals:    masterSignals(),
	})
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
