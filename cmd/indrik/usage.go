package main

import (
	"fmt"
	"strings"

	"github.com/indrik/indrik/settings"
)

// The help text is two columns, 79 characters wide in all.
const (
	usageWidth  = 79
	usageIndent = 30
)

// usage is what --help prints, made from the registry.
func usage() string {
	var b strings.Builder
	b.WriteString(`Usage: indrik [OPTIONS] MODULE[:APP]
       indrik dev [OPTIONS] [MODULE[:APP] | DIRECTORY]
       indrik check FILE... [--app[=MODULE:APP]] [--python PATH]
       indrik migrate FILE [--python PATH]
       indrik setup NAME --app MODULE:APP [--dir DIR] [OPTIONS]
       indrik remove NAME [--keep-config]
       indrik exec [OPTIONS] [--] PROGRAM [ARGUMENT...]
       indrik status|top|workers|requests|events|reload|stacks [INSTANCE]
       indrik scale [INSTANCE] N, recycle [INSTANCE] all, log-level …

Serve a Python application, WSGI or ASGI: APP (default: application) of MODULE.
APP may be a call that makes it, like "hello:make_app('production')". With dev,
to whoever writes it: see indrik dev --help. Or check
configuration files, and with --app the application too; or write a
gunicorn.conf.py as an indrik.toml; or ask a running service (docs/control.md).
Or host an application under systemd, and take it away again: see indrik setup
--help.
Or keep copies of any other program that takes sockets from systemd: see indrik
exec --help.
`)
	for _, g := range settings.Groups() {
		fmt.Fprintf(&b, "\n%s:\n", g)
		for _, s := range settings.All() {
			if s.Group == g {
				option(&b, s.Short, s.Option(), describe(s))
			}
		}
	}
	b.WriteString("\nOther:\n")
	option(&b, "h", "help", "Print this text")
	option(&b, "v", "version", "Print the version")
	option(&b, "", "completion SHELL", "Print a script by which bash, zsh or fish complete")
	b.WriteString(`
Options win over the environment, that over a configuration file. Sockets
passed by systemd are served as well.

Exit status: 0 served and stopped, 1 could not serve, 2 called wrongly, 3 a
worker could not boot, 4 the application could not be loaded.
`)
	return b.String()
}

// describe is the sentence of a setting and what holds when it is not given.
func describe(s settings.Setting) string {
	var more []string
	switch {
	case s.DefaultHelp != "":
		more = append(more, "default: "+s.DefaultHelp)
	case s.Default != "":
		more = append(more, "default: "+s.Default)
	}
	if s.Env != "" {
		more = append(more, "environment: "+s.Env)
	}
	if len(more) == 0 {
		return s.Help
	}
	return s.Help + " [" + strings.Join(more, "; ") + "]"
}

// option writes one option with its text in the second column.
func option(b *strings.Builder, short, long, text string) {
	left := "      --" + long
	if short != "" {
		left = "  -" + short + ", --" + long
	}
	if len(left) > usageIndent-2 {
		b.WriteString(left + "\n")
		left = ""
	}
	for _, line := range wrap(text, usageWidth-usageIndent) {
		fmt.Fprintf(b, "%-*s%s\n", usageIndent, left, line)
		left = ""
	}
}

// wrap breaks a text at spaces into lines of at most width bytes, longer only
// where one word is.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
