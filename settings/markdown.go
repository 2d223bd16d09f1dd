package settings

import (
	"fmt"
	"strings"
)

// Markdown renders docs/settings.md. A test compares it with the committed
// file, so that the document cannot fall behind the registry.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Settings

<!-- Made from settings/registry.go by: go test ./settings -update -->

Names, options, types and defaults are Gunicorn's wherever it has the same setting; a note says where they differ.

A setting may be given in several places. The later of these wins, as a whole (lists replace, they do not add up):

`)
	for i, s := range Sources() {
		fmt.Fprintf(&b, "%d. %s\n", i+1, s)
	}
	for _, g := range Groups() {
		fmt.Fprintf(&b, "\n## %s\n", g)
		for _, s := range registry {
			if s.Group == g {
				s.markdown(&b)
			}
		}
	}
	return b.String()
}

func (s Setting) markdown(b *strings.Builder) {
	option := "`--" + s.Option() + "`"
	if s.Short != "" {
		option = "`-" + s.Short + " " + s.Metavar + "`, " + option
	}
	for _, name := range s.Also {
		option += ", `--" + name + "`"
	}
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n", s.Name, s.Help)
	fmt.Fprintf(b, "- option: %s\n- value: %s\n", option, s.values())
	switch {
	case s.DefaultHelp != "":
		fmt.Fprintf(b, "- default: %s\n", s.DefaultHelp)
	case s.Default != "":
		fmt.Fprintf(b, "- default: %s\n", s.Default)
	default:
		b.WriteString("- default: none\n")
	}
	fmt.Fprintf(b, "- environment: `%s`", s.Variable())
	if s.Env != "" {
		fmt.Fprintf(b, ", and as a platform variable `%s`", s.Env)
	}
	b.WriteString("\n")
	fmt.Fprintf(b, "- since: %s\n", s.Since)
	if s.Instead != "" {
		fmt.Fprintf(b, "\nIt has no effect: %s.\n", s.Instead)
	}
	if s.Note != "" {
		fmt.Fprintf(b, "\n%s\n", s.Note)
	}
}

// values says in words what the setting accepts.
func (s Setting) values() string {
	switch s.Kind {
	case Int:
		return fmt.Sprintf("a whole number from %d to %d%s", s.Min, s.Max, s.orWords())
	case Seconds:
		return fmt.Sprintf("a number of seconds from %d to %d, decimals allowed, or with units: `1m30s`", s.Min, s.Max)
	case Bytes:
		return fmt.Sprintf("a number of bytes from %d to %d, or with units: `64KiB`, `10MB`", s.Min, s.Max)
	case Choice:
		words := strings.Join(s.Choices, ", ")
		if s.Bare != "" {
			words += "; the bare option means " + s.Bare
		}
		return words
	case Bool:
		if s.Negated {
			return "true or false; the option means false"
		}
		return "true or false; the bare option means true"
	case List:
		return "text; the option may be repeated"
	case CommaList:
		return "texts with commas between them"
	case Pairs:
		return "NAME=VALUE with commas between them"
	case String:
	}
	return "text"
}
