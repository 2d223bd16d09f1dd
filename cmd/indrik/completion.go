package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// addCompletion gives the root command the option --completion SHELL, which prints
// a script. It is no subcommand, because an application may live in a module
// called completion.
func addCompletion(root *cobra.Command) *string {
	shell := root.Flags().String("completion", "", "print a script by which bash, zsh or fish complete")
	_ = root.RegisterFlagCompletionFunc("completion", cobra.FixedCompletions([]string{"bash", "zsh", "fish"}, cobra.ShellCompDirectiveNoFileComp)) // the option was made just now
	return shell
}

// complete writes the script.
func complete(root *cobra.Command, to io.Writer, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(to, true)
	case "zsh":
		return root.GenZshCompletion(to)
	case "fish":
		return root.GenFishCompletion(to, true)
	}
	return usagef("no completion for %q; give bash, zsh or fish", shell)
}

// completing reports that a shell asks what the next word may be.
func completing(p process) bool {
	return len(p.args) > 1 && strings.HasPrefix(p.args[1], "__complete")
}

// addWords gives the root command all words that are commands as the first argument, with
// what a shell shows beside them. Otherwise a word becomes one only where it is meant as
// such (command, controls), because it may be the name of a module too.
func addWords(root *cobra.Command, p process) {
	add := func(c *cobra.Command, short string) {
		c.Hidden, c.Short = false, short
		root.AddCommand(c)
	}
	add(newCheck(p), "Check configuration files, and the application with --app")
	add(newDev(p), "Serve while the application is written: reload on save")
	add(newExec(p), "Keep copies of any program that takes sockets from systemd")
	add(newMigrate(p), "Write a gunicorn.conf.py as an indrik.toml")
	add(newRemove(p), "Take an application away that setup has hosted")
	add(newSetup(p), "Host an application under systemd")
	for verb, short := range map[string]string{
		"status": "State, processes, queue, workers, last reload, last deaths", "top": "The same, live",
		"workers": "The workers and what each works on", "requests": "The requests in hand, the oldest first",
		"events": "What has happened lately", "reload": "Bring what is on disk into service",
		"rollback": "Return to the generation before", "scale": "Change the number of workers",
		"recycle": "Replace workers, one after the other", "stacks": "What each worker is doing at this moment",
		"log-level": "Change what the service logs",
	} {
		add(newControl(p, verb), short)
	}
	// Cobra proposes its help command too; ours stands for an option that there is.
	root.SetHelpCommand(&cobra.Command{Use: "--help", Short: "Print all options"})
}

// proposals are what may follow the words of a command that asks a running service: an
// instance, and what the command wants besides.
func (a *asked) proposals(verb string, args []string) []string {
	last := map[string][]string{
		"log-level": {"debug", "error", "info", "trace", "warning"},
		"recycle":   {"all"},
		"scale":     {"+1", "-1"},
	}[verb]
	switch {
	case len(args) == 0:
		return slices.Concat(names(a.instances()), last)
	case len(args) == 1 && !slices.Contains(last, args[0]):
		return last
	}
	return nil
}
