package main

import (
	"io"

	"github.com/spf13/cobra"
)

// addCompletion gives the root command the option --completion SHELL, which prints
// a script. It is no subcommand, because an application may live in a module
// called completion.
func addCompletion(root *cobra.Command) *string {
	shell := root.Flags().String("completion", "", "print a script that completes options in bash, zsh or fish")
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
