package settings

import (
	"fmt"
	"strings"

	"github.com/kballard/go-shellquote"
)

// Source is where a value came from. The constants are in order of precedence:
// of two sources that mention a setting the larger one wins.
type Source uint8

const (
	// Default is the registry.
	Default Source = iota
	// Platform is the few variables that hosting platforms set and Gunicorn takes
	// for its defaults: PORT, WEB_CONCURRENCY, FORWARDED_ALLOW_IPS.
	Platform
	// ConfigFile is gunicorn.conf.py or indrik.toml.
	ConfigFile
	// Arguments is the options in GUNICORN_CMD_ARGS.
	Arguments
	// Environment is the variables INDRIK_WORKERS, INDRIK_BIND and so on.
	Environment
	// CommandLine is the options the program was started with.
	CommandLine
)

// Sources returns all of them, the weakest first.
func Sources() []Source {
	return []Source{Default, Platform, ConfigFile, Arguments, Environment, CommandLine}
}

// String names the source as log lines and documentation do.
func (s Source) String() string {
	switch s {
	case Default:
		return "default"
	case Platform:
		return "platform variable"
	case ConfigFile:
		return "configuration file"
	case Arguments:
		return "GUNICORN_CMD_ARGS"
	case Environment:
		return "environment"
	case CommandLine:
		return "command line"
	}
	return fmt.Sprintf("source %d", uint8(s))
}

// Layer is what one source says, as text. The zero Layer says nothing.
type Layer struct {
	Source Source
	Items  []Item
}

// Item is what a source says about one setting. When a layer holds two items
// for one setting, the later one counts.
type Item struct {
	Name   string   // setting name, like "worker_class"
	Texts  []string // as written; more than one only for a List
	Origin string   // what the user can look for: "--workers", "WEB_CONCURRENCY"

	err error // the text could not be turned into one of the setting; see FromPlatform
}

// Text is what the item says of a setting that is no List: its last text, without
// white space around it; "" if it says nothing.
func (i Item) Text() string {
	if len(i.Texts) == 0 {
		return ""
	}
	return strings.TrimSpace(i.Texts[len(i.Texts)-1])
}

// FromPlatform makes the layer of the variables that platforms set. One that is
// empty counts as unset: platforms that declare WEB_CONCURRENCY without a value
// mean nothing by it. A text that cannot be right is reported by [Resolve], and
// only if no stronger source overrides it, so a stray PORT does not stop a
// service that has its own --bind.
func FromPlatform(env func(key string) string) Layer {
	layer := Layer{Source: Platform}
	for _, s := range registry {
		if s.Env == "" {
			continue
		}
		text := env(s.Env)
		if text == "" {
			continue
		}
		item := Item{Name: s.Name, Texts: []string{text}, Origin: s.Env}
		if s.fromEnv != nil {
			if made, err := s.fromEnv(text); err != nil {
				item.err = err
			} else {
				item.Texts = []string{made}
			}
		}
		layer.Items = append(layer.Items, item)
	}
	return layer
}

// Variable is the environment variable of the setting: "INDRIK_WORKERS".
func (s Setting) Variable() string { return "INDRIK_" + strings.ToUpper(s.Name) }

// FromEnvironment makes the layer of the INDRIK_ variables: every setting has
// one, named after it. An empty one counts as unset. A List is read as words
// of a shell, so that an item may hold blanks between quotes.
func FromEnvironment(env func(key string) string) Layer {
	layer := Layer{Source: Environment}
	for _, s := range registry {
		text := env(s.Variable())
		if text == "" {
			continue
		}
		item := Item{Name: s.Name, Texts: []string{text}, Origin: s.Variable()}
		if s.Kind == List {
			words, err := shellquote.Split(text)
			if err == nil {
				item.Texts = words
			} else {
				item.err = fmt.Errorf("%w; write the items as words of a shell", err)
			}
		}
		layer.Items = append(layer.Items, item)
	}
	return layer
}
