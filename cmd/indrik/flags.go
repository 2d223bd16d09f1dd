package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/indrik/indrik/settings"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flags are the options of one command: texts, not yet judged. The settings
// package judges them together with what other sources say.
type flags []*flagText

// newFlags makes the options of the named settings, or of all without names.
func newFlags(names ...string) flags {
	var fs flags
	for _, s := range settings.All() {
		if len(names) == 0 || slices.Contains(names, s.Name) {
			fs = append(fs, &flagText{setting: s})
		}
	}
	return fs
}

func (fs flags) add(set *pflag.FlagSet) {
	for _, f := range fs {
		bare := f.setting.Bare
		if f.setting.Kind == settings.Bool {
			bare = "true"
		}
		set.VarPF(f, f.setting.Flag, f.setting.Short, f.setting.Help).NoOptDefVal = bare
		for _, name := range f.setting.Also {
			set.VarPF(f, name, "", f.setting.Help).NoOptDefVal = bare
		}
	}
}

// complete tells shells which words an option may have.
func (fs flags) complete(command *cobra.Command) {
	for _, f := range fs {
		if f.setting.Kind == settings.Choice {
			words := cobra.FixedCompletions(f.setting.Choices, cobra.ShellCompDirectiveNoFileComp)
			_ = command.RegisterFlagCompletionFunc(f.setting.Flag, words) // each option once
		}
	}
}

// join ties a word to the option before it where that may stand alone and the
// word is one of its values. pflag knows only --option=word for such options,
// and would take the word of "--proxy-protocol v1", which Gunicorn knows, for
// the application.
func (fs flags) join(args []string) []string {
	joined := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(joined, args[i:]...)
		}
		if i+1 < len(args) && slices.ContainsFunc(fs, func(f *flagText) bool {
			return f.setting.Bare != "" && arg == "--"+f.setting.Flag && slices.Contains(f.setting.Choices, args[i+1])
		}) {
			arg += "=" + args[i+1]
			i++
		}
		joined = append(joined, arg)
	}
	return joined
}

// layer returns what was given on the command line, once it is parsed.
func (fs flags) layer() settings.Layer {
	layer := settings.Layer{Source: settings.CommandLine}
	for _, f := range fs {
		if f.texts != nil {
			layer.Items = append(layer.Items, settings.Item{
				Name: f.setting.Name, Texts: f.texts, Origin: "--" + f.setting.Flag,
			})
		}
	}
	return layer
}

// flagText is one option; it implements pflag.Value.
type flagText struct {
	setting settings.Setting
	texts   []string
}

// Set is called for each time the option is given, in order.
func (f *flagText) Set(text string) error {
	if !f.setting.Repeatable() {
		f.texts = nil // of any other option the last one counts
	}
	if f.setting.Negated {
		text = negation(text)
	}
	f.texts = append(f.texts, text)
	return nil
}

// negation of an option's value: --no-sendfile=true is false for the setting. What
// is neither is left for the setting to refuse.
func negation(text string) string {
	switch strings.ToLower(text) {
	case "true":
		return "false"
	case "false":
		return "true"
	}
	return text
}

// String and Type serve help texts that we do not let pflag write.
func (f *flagText) String() string { return "" }

// Type names the value.
func (f *flagText) Type() string { return f.setting.Metavar }

// flagError says in our words what pflag could not parse.
func flagError(cmd *cobra.Command, err error) error { return explain(cmd.Flags(), err) }

func explain(set *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var syntax *pflag.InvalidSyntaxError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return unknownShort(set, unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		return unknownLong(set, unknown.GetSpecifiedName())
	case errors.As(err, &bare):
		f := bare.GetFlag()
		return usagef("option --%s needs a value; write it like --%s %s", f.Name, f.Name, f.Value.Type())
	case errors.As(err, &syntax):
		return usagef("%s is no option; see indrik --help", syntax.GetSpecifiedFlag())
	case errors.As(err, &value):
		// Only --help and --version are parsed by pflag itself.
		return usagef("option --%s takes no value, got %q; leave it out", value.GetFlag().Name, value.GetValue())
	}
	return usagef("%v; see indrik --help", err)
}
