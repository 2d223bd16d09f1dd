package settings

import "slices"

// Kind is how the text of a setting is read.
type Kind uint8

const (
	// String is text, with white space around it removed.
	String Kind = iota
	// Int is a whole decimal number within Min and Max.
	Int
	// Seconds is a length of time within Min and Max seconds, written as a
	// number of seconds, decimals allowed, or with units like "1m30s"; its value is
	// a time.Duration.
	Seconds
	// Bytes is a size within Min and Max, written as a whole number of bytes or
	// with a unit, like "64KiB" or "10MB"; its value is an int.
	Bytes
	// Choice is one of Choices, in any case; its value is in lower case.
	Choice
	// Bool is true or false, in any case; the bare option means true.
	Bool
	// List is text that may be given several times; its value is a []string in
	// the order given.
	List
	// CommaList is one text of items with commas between them, empty items
	// ignored; its value is a []string.
	CommaList
	// Pairs is one text of items NAME=VALUE with commas between them, empty
	// items ignored; its value is a []Pair in the order given.
	Pairs
)

// Pair is one item of a setting of kind [Pairs].
type Pair struct{ Name, Value string }

// Setting is one row of the registry. It is a value; changing a copy changes
// nothing.
type Setting struct {
	Name    string // Gunicorn's setting name where it has one: "worker_class"
	Flag    string // long option without dashes: "worker-class"
	Short   string // one letter, or "" if there is none
	Metavar string // what stands for the value in the help text: "SECONDS"; "" for a Bool
	Group   Group  // chapter of the help text and of docs/settings.md
	Kind    Kind

	// Default is the text that counts when no source mentions the setting. For
	// a List it is one item, or "" for an empty list.
	Default string
	// DefaultHelp is shown instead of Default where Default alone would not
	// say what happens.
	DefaultHelp string

	// Env is the variable by which platforms set it, or "". Besides it every
	// setting has one of its own: see Variable.
	Env string
	// fromEnv turns the text of that variable into a text of the setting; nil
	// takes it as it is.
	fromEnv func(text string) (string, error)

	Min, Max int      // bounds of Int and Seconds, both included
	Choices  []string // of Choice

	// words are texts of an Int that stand for numbers outside of Min and Max, in
	// lower case.
	words map[string]int
	// anyBase lets an Int be written as in C: 022 is octal, 0x12 hexadecimal.
	anyBase bool
	// aliases are other words for choices, in lower case.
	aliases map[string]string

	// Also is other spellings of the long option, without dashes.
	Also []string

	// Negated is for a Bool whose option turns it off, like --no-sendfile.
	Negated bool

	// Bare is what the option means without a value, or "" if it needs one. A
	// Bool needs none, and means true.
	Bare string

	// check refuses a text that its Kind allows; for a List, one item. Its
	// error is the reason and the remedy, joined by a semicolon.
	check func(text string) error

	// Instead is for a setting that is accepted and does nothing: the reason, and
	// what takes its place. Whoever sets it to anything but its default is told.
	Instead string

	Help  string // one sentence without the final stop
	Note  string // for docs: what differs from Gunicorn and why, or ""
	Since string // first version of Indrik that has it
}

// Group is a chapter of settings.
type Group string

// The groups, in the order in which help and documentation show them.
const (
	Sockets     Group = "Sockets"
	Workers     Group = "Workers"
	Programs    Group = "Programs"
	Gateway     Group = "Gateway"
	TLS         Group = "TLS"
	Files       Group = "Static files"
	Application Group = "Application"
	Service     Group = "Service"
	Logging     Group = "Logging"
	Idle        Group = "Accepted without effect"
)

// Groups returns the chapters in their order.
func Groups() []Group {
	return []Group{Sockets, Workers, Programs, Gateway, TLS, Files, Application, Service, Logging, Idle}
}

// All returns every setting, in the order of the documentation. The slice is
// the caller's.
func All() []Setting { return slices.Clone(registry) }

// Names returns the name of every setting, in the order of the documentation.
func Names() []string {
	names := make([]string, len(registry))
	for i, s := range registry {
		names[i] = s.Name
	}
	return names
}

// ByName finds a setting by its name, like "worker_class".
func ByName(name string) (Setting, bool) {
	i := slices.IndexFunc(registry, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return registry[i], true
}

// Option is how the long option is written, without dashes: "workers N".
func (s Setting) Option() string {
	if s.Kind == Bool {
		return s.Flag
	}
	return s.Flag + " " + s.Metavar
}

// Repeatable reports whether the option may be given several times, each time
// adding to the list. Of any other option the last one counts.
func (s Setting) Repeatable() bool { return s.Kind == List }
