package settings

import "fmt"

// Source is where a value came from. The constants are in order of precedence:
// of two sources that mention a setting the larger one wins.
type Source uint8

const (
	// Default is the registry.
	Default Source = iota
	// Environment is a variable of the process's environment.
	Environment
	// CommandLine is the options the program was started with.
	CommandLine
)

// String names the source as log lines and documentation do.
func (s Source) String() string {
	switch s {
	case Default:
		return "default"
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

	err error // the text could not be turned into one of the setting; see FromEnvironment
}

// FromEnvironment makes the layer of the environment variables that the
// registry names. A variable that is empty counts as unset: platforms that
// declare WEB_CONCURRENCY without a value mean nothing by it. A text that cannot
// be right is reported by [Resolve], and only if no stronger source overrides
// it, so a stray PORT does not stop a service that has its own --bind.
func FromEnvironment(env func(key string) string) Layer {
	layer := Layer{Source: Environment}
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
