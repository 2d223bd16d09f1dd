package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/indrik/indrik/settings"
)

// unknownLong answers an option like --wrokers.
func unknownLong(set *pflag.FlagSet, name string) error {
	if near := settings.Nearest(name, optionNames(set)); near != "" {
		return usagef("unknown option --%s; did you mean --%s?", name, near)
	}
	return usagef("unknown option --%s; see indrik --help", name)
}

// unknownShort answers an option like -W, or a long one written with a single
// dash, which is read as a group of letters.
func unknownShort(set *pflag.FlagSet, letter, group string) error {
	if len(group) > 1 {
		name, _, _ := strings.Cut(group, "=")
		if near := settings.Nearest(name, optionNames(set)); near != "" {
			return usagef("unknown option -%s in -%s; did you mean --%s?", letter, group, near)
		}
	}
	for _, other := range []string{strings.ToLower(letter), strings.ToUpper(letter)} {
		if f := set.ShorthandLookup(other); f != nil {
			return usagef("unknown option -%s; did you mean -%s (--%s)?", letter, other, f.Name)
		}
	}
	return usagef("unknown option -%s; see indrik --help", letter)
}

func optionNames(set *pflag.FlagSet) []string {
	var names []string
	set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
