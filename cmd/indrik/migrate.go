package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/indrik/indrik/master"
	"github.com/indrik/indrik/settings"
)

// newMigrate makes the command that writes a gunicorn.conf.py as an indrik.toml:
//
//	indrik migrate FILE [--python PATH]
func newMigrate(p process) *cobra.Command {
	options := newFlags("python")
	command := &cobra.Command{
		Use: "migrate FILE",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("one file can be migrated at a time, got %s", strings.Join(args, " "))
			}
			text, err := migrate(cmd.Context(), p, options.layer(), args[0])
			if err != nil {
				return err
			}
			_, err = p.stdout.WriteString(text)
			return err
		},
	}
	options.add(command.Flags())
	command.SetFlagErrorFunc(flagError)
	return command
}

// migrate runs the file and writes what it says.
func migrate(ctx context.Context, p process, options settings.Layer, file string) (string, error) {
	if strings.HasSuffix(file, ".toml") {
		return "", usagef("%s is an indrik.toml already; give a gunicorn.conf.py", file)
	}
	var found said
	if err := found.read(p, strings.TrimPrefix(file, "file:")); err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	python, err := findPython(p, []settings.Layer{variableOf("python", p.getenv), options})
	if err != nil {
		return "", err
	}
	cfg := newConfig(p, newLog(newOutput(p.stderr, underJournal(p.stderr, p.getenv), p.pid), "warn"))
	cfg.Script = master.Script{Name: found.script, Python: python.Items[0].Texts[0]}
	findings, err := p.examine(ctx, cfg)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Made from %s by: indrik migrate\n\n", file)
	b.WriteString(settings.TOML(findings.Settings, func(name string) []string {
		source, computed := findings.Computed[name]
		if !computed {
			return nil
		}
		return []string{"Computed there, this is the value found on this machine:", "    " + source}
	}))
	remainder(&b, file, findings)
	return b.String(), nil
}

// remainder tells of what no TOML can hold.
func remainder(b *strings.Builder, file string, f master.Findings) {
	var lines []string
	for _, name := range f.Hooks {
		lines = append(lines, name+", a hook")
	}
	for _, name := range f.Objects {
		lines = append(lines, name+", an object of Python")
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n# Not carried over, because only Python can hold it; if it is needed, go on using %s:\n", file)
		for _, line := range lines {
			fmt.Fprintf(b, "#   %s\n", line)
		}
	}
	slices.Sort(f.Unknown)
	for _, name := range f.Unknown {
		if near := settings.Nearest(name, settings.Names()); near != "" {
			fmt.Fprintf(b, "\n# %s is no setting and was left out; did it mean %s?\n", name, near)
		}
	}
}
