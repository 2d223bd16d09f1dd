package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/indrik/indrik/settings"
	"github.com/spf13/cobra"
)

// Commands for those who build packages. No module of Python has a dash in its
// name, so they take no name from an application.

// newManPage makes the command that prints indrik(1) in the language of man(7):
//
//	indrik man-page
func newManPage() *cobra.Command {
	return &cobra.Command{
		Use:    "man-page",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), manPage())
			return err
		},
	}
}

// newShellCompletion makes the command that prints what a shell needs to
// complete options and their values:
//
//	indrik shell-completion bash|zsh|fish
func newShellCompletion(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "shell-completion",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains([]string{"bash", "zsh", "fish"}, args[0]) {
				return usagef("shell-completion takes the name of a shell: bash, zsh or fish")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch out := cmd.OutOrStdout(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			default:
				return root.GenFishCompletion(out, true)
			}
		},
	}
}

// completeChoices lets shells propose the values of options that have a list of
// them.
func completeChoices(root *cobra.Command) {
	for _, s := range settings.All() {
		if len(s.Choices) == 0 {
			continue
		}
		choices := cobra.FixedCompletions(s.Choices, cobra.ShellCompDirectiveNoFileComp)
		_ = root.RegisterFlagCompletionFunc(s.Flag, choices) // the option exists, and is registered once
	}
}

// manPage is indrik(1), whose options come from the registry.
func manPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH INDRIK 1 \"\" \"Indrik %s\" \"User Commands\"\n", roff(version))
	b.WriteString(manHead)
	for _, g := range settings.Groups() {
		fmt.Fprintf(&b, ".SS %s\n", roff(string(g)))
		for _, s := range settings.All() {
			if s.Group == g {
				manOption(&b, s)
			}
		}
	}
	b.WriteString(".SS Other\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nPrint a summary of the options.\n")
	b.WriteString(".TP\n\\fB\\-v\\fR, \\fB\\-\\-version\\fR\nPrint the version.\n")
	b.WriteString(manFoot)
	return b.String()
}

func manOption(b *strings.Builder, s settings.Setting) {
	b.WriteString(".TP\n")
	if s.Short != "" {
		fmt.Fprintf(b, "\\fB\\-%s\\fR, ", roff(s.Short))
	}
	fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", roff(s.Flag))
	if s.Metavar != "" {
		fmt.Fprintf(b, " \\fI%s\\fR", roff(s.Metavar))
	}
	fmt.Fprintf(b, "\n%s.\n", roff(describe(s)))
	fmt.Fprintf(b, "In files: \\fB%s\\fR; variable: \\fB%s\\fR.\n", roff(s.Name), roff(s.Variable()))
}

// roff makes a text good for man(7): nothing in it is a request, an escape or a
// typographical dash. It is for texts of one line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

const manHead = `.SH NAME
indrik \- application server for Python, a service of systemd
.SH SYNOPSIS
\fBindrik\fR [\fIOPTIONS\fR] [\fIMODULE\fR[:\fIAPP\fR]]
.SH DESCRIPTION
\fBindrik\fR serves a WSGI or ASGI application of Python: \fIAPP\fR (by default \fBapplication\fR) of \fIMODULE\fR.
It takes its listening sockets from systemd or binds them itself, keeps a number of worker processes alive and gives each
request to the next one that is free.
Options, settings and signals have Gunicorn's names where Gunicorn has them.
.PP
Under systemd an application is an instance of \fBindrik@.service\fR(5).
.PP
A setting is looked for in this order, the first that is found counts: the command line, a variable of the environment
(\fBINDRIK_\fINAME\fR), \fBGUNICORN_CMD_ARGS\fR, the configuration file, the variables that platforms set (\fBPORT\fR,
\fBWEB_CONCURRENCY\fR), the default.
.SH OPTIONS
`

const manFoot = `.SH FILES
.TP
\fIindrik.toml\fR, \fIgunicorn.conf.py\fR
Read from the current directory if one of them is there and \fB\-\-config\fR names no other.
.TP
\fI/etc/indrik/NAME.toml\fR
Settings of the instance \fINAME\fR, see \fBindrik@.service\fR(5).
.SH EXIT STATUS
.TP
0
It served and was stopped, or printed what it was asked for.
.TP
1
It could not serve: configuration, addresses, a process it needs.
.TP
2
It was called wrongly.
.TP
3
The first worker could not boot.
.TP
4
The application could not be loaded.
.SH SIGNALS
.TP
SIGTERM, SIGINT
Accept nothing new, finish the requests in hand, end. A second one ends at once.
.TP
SIGQUIT
End at once.
.TP
SIGTTIN, SIGTTOU
One worker more, one worker less.
.SH SEE ALSO
\fBindrik@.service\fR(5), \fBsystemd.socket\fR(5), \fBgunicorn\fR(1)
`
