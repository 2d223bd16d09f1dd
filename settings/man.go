package settings

import (
	"fmt"
	"strings"
)

// Man renders the manual page of the command: indrik(1). version stands in its
// footer. Tests compare it and ManTOML with the committed files below docs/man.
func Man(version string) string {
	var b strings.Builder
	heading(&b, "INDRIK", 1, version)
	b.WriteString(manIntroduction)
	for _, g := range Groups() {
		fmt.Fprintf(&b, ".SS %s\n", roff(string(g)))
		for _, s := range registry {
			if s.Group == g {
				s.manOption(&b)
			}
		}
	}
	b.WriteString(manEnd)
	return b.String()
}

// ManTOML renders the manual page of the configuration file: indrik.toml(5).
func ManTOML(version string) string {
	var b strings.Builder
	heading(&b, "INDRIK.TOML", 5, version)
	b.WriteString(manFile)
	for _, g := range Groups() {
		fmt.Fprintf(&b, ".SH %s\n", roff(strings.ToUpper(string(g))))
		for _, s := range registry {
			if s.Group == g {
				fmt.Fprintf(&b, ".TP\n.B %s\n", roff(s.Name))
				s.manText(&b)
			}
		}
	}
	b.WriteString(".SH SEE ALSO\n.BR indrik (1)\n")
	return b.String()
}

func heading(b *strings.Builder, name string, section int, version string) {
	b.WriteString(".\\\" Made from settings/registry.go by: go test ./cmd/indrik -update\n")
	fmt.Fprintf(b, ".TH %s %d \"\" \"Indrik %s\" \"\"\n", name, section, roff(version))
}

func (s Setting) manOption(b *strings.Builder) {
	b.WriteString(".TP\n")
	var names []string
	if s.Short != "" {
		names = append(names, `\fB`+roff("-"+s.Short)+`\fR`)
	}
	for _, name := range append([]string{s.Flag}, s.Also...) {
		names = append(names, `\fB`+roff("--"+name)+`\fR`)
	}
	value := ""
	if s.Kind != Bool {
		value = ` \fI` + roff(s.Metavar) + `\fR`
	}
	fmt.Fprintf(b, "%s%s\n", strings.Join(names, ", "), value)
	s.manText(b)
}

// manText is what both pages say of a setting.
func (s Setting) manText(b *strings.Builder) {
	fmt.Fprintf(b, "%s.\n", roff(s.Help))
	switch {
	case s.DefaultHelp != "":
		fmt.Fprintf(b, "Default: %s.\n", roff(s.DefaultHelp))
	case s.Default != "":
		fmt.Fprintf(b, "Default: %s.\n", roff(s.Default))
	}
	if s.Instead != "" {
		fmt.Fprintf(b, "It has no effect: %s.\n", roff(s.Instead))
	}
	fmt.Fprintf(b, "Variable: %s.\n", roff(s.Variable()))
}

// roff escapes a text for troff: backslashes, dashes that are to be copied as such,
// and a dot or quote where a line begins.
func roff(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	text = strings.ReplaceAll(text, "-", `\-`)
	text = strings.NewReplacer("…", `\[u2026]`, "µ", `\[mc]`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

const manIntroduction = `.SH NAME
indrik \- application server for Python, supervised by systemd
.SH SYNOPSIS
.B indrik
.RI [ options ]
.IR module [: app ]
.br
.B indrik check
.IR file ...
.RB [ \-\-app [=\c
.IR module : app ]]
.RB [ \-\-python
.IR path ]
.br
.B indrik migrate
.I file
.RB [ \-\-python
.IR path ]
.br
.B indrik setup
.I name
.BI \-\-app\~ module : app
.RB [ \-\-dir
.IR dir ]
.RB [ \-\-user
.IR user ]
.RB [ \-\-boot ]
.RB [ \-\-no\-start ]
.RB [ \-\-force ]
.RB [ \-\-dry\-run ]
.RB [ \-\-user\-manager ]
.RI [ options ]
.br
.B indrik remove
.I name
.RB [ \-\-keep\-config ]
.RB [ \-\-force ]
.RB [ \-\-dry\-run ]
.RB [ \-\-user\-manager ]
.br
.B indrik exec
.RI [ option ...]\~[\c
.BR \-\- ]
.IR program " [" argument ...]
.br
.B indrik \-\-completion
.BR bash | zsh | fish
.SH DESCRIPTION
Serves a WSGI or ASGI application: a gateway accepts clients and speaks HTTP, worker processes run the application.
.I app
is a name in the module, dotted names included, or a call with literals that makes it; without it the name is application.
Options, settings and their defaults are those of Gunicorn wherever it has the same.
.PP
.B check
reads configuration files and names those that cannot be used; with
.B \-\-app
it loads the application too.
.B migrate
writes a gunicorn.conf.py as an indrik.toml.
.PP
.B setup
hosts an application under systemd: it writes
.IR /etc/indrik/name.toml ,
enables
.BI indrik@ name .socket
and starts it;
.B remove
takes that back.
What the application keeps, and what others wrote, stays.
.PP
The four words are commands only before a second argument that is no option; a module of that name is served as any other.
.SH OPTIONS
.TP
\fB\-h\fR, \fB\-\-help\fR
Print a short form of this page.
.TP
\fB\-v\fR, \fB\-\-version\fR
Print the version.
.TP
\fB\-\-completion\fR \fISHELL\fR
Print a script that completes options in bash, zsh or fish.
`

const manEnd = `.SH ENVIRONMENT
Every setting has a variable, which is named with it above. GUNICORN_CMD_ARGS holds options. PORT, WEB_CONCURRENCY, FORWARDED_ALLOW_IPS
and SENDFILE are taken for defaults, as by Gunicorn.
Of several sources the later of these wins: defaults, those four variables, the configuration file, GUNICORN_CMD_ARGS, variables, options.
.SH FILES
.TP
.I indrik.toml
is read from the directory where the program is started, unless another file is named; see
.BR indrik.toml (5).
.TP
.I gunicorn.conf.py
is read there, too.
.SH SIGNALS
.TP
.BR TERM ", " INT
Stop: finish the requests in hand.
.TP
.B QUIT
Stop at once.
.TP
.BR TTIN ", " TTOU
One worker more, one worker less.
.SH EXIT STATUS
.TP
.B 0
It served and was stopped, or printed what it was asked for.
.TP
.B 1
It could not serve: configuration, addresses, a process it needs.
.TP
.B 2
It was called wrongly.
.TP
.B 3
A worker could not boot.
.TP
.B 4
The application could not be loaded.
.SH SEE ALSO
.BR indrik.toml (5),
.BR systemd.service (5),
.BR systemd.socket (5)
`

const manFile = `.SH NAME
indrik.toml \- configuration of indrik
.SH DESCRIPTION
The file is TOML, with the settings below at its top level. A number of seconds may be a text with units, "1m30s", and so may a size, "64MiB".
Where several values are possible they are an array. An unknown name is an error, which tells file, line, column and the nearest name.
The table
.B unit
is not read by the program.
.PP
.B indrik check
.I file
tells what is wrong in a file; docs/indrik.schema.json is its JSON schema, for editors.
.PP
The effects are described in docs/settings.md.
`
