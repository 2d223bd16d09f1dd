package unitfiles

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxName is the length of the longest name: with "indrik-" before it, it is the
// name of a user, which systemd allows 31 characters less one for its own checks.
const maxName = 23

// Start says what starts an instance.
type Start string

// The three ways to start.
const (
	BySocket Start = "socket" // the first connection
	AtBoot   Start = "boot"   // the machine, or daemon-reload
	ByHand   Start = "no"     // systemctl start
)

// Scope says whose manager the units are for.
type Scope uint8

const (
	// System is the machine's: its templates give each instance a user of its own.
	System Scope = iota
	// User is somebody's own manager (systemctl --user), which has no rights to give.
	User
)

// An Instance is what one file says of its units.
type Instance struct {
	Name  string // what stands after the @
	File  string // absolute path of the file, for SourcePath=
	scope Scope
	table Table
}

// Table is [unit]. What is empty is left to the template.
type Table struct {
	Start       Start    `toml:"start,omitempty"`
	Listen      []string `toml:"listen,omitempty"`       // instead of the template's socket
	SocketGroup string   `toml:"socket_group,omitempty"` // who may connect to Unix sockets
	SocketMode  string   `toml:"socket_mode,omitempty"`
	Directory   string   `toml:"directory,omitempty"` // working directory
	User        string   `toml:"user,omitempty"`      // one who exists, instead of a dynamic one
	Writable    []string `toml:"writable,omitempty"`  // paths, besides the state directory
	Credentials []string `toml:"credentials,omitempty"`
	MemoryMax   string   `toml:"memory_max,omitempty"`
}

// Text is the table as Parse reads it, its first line [unit].
func (t Table) Text() (string, error) {
	text, err := toml.Marshal(struct {
		Unit Table `toml:"unit"`
	}{t})
	if err != nil {
		return "", fmt.Errorf("write [unit]: %w", err)
	}
	return string(text), nil
}

// Start is what starts the instance.
func (i *Instance) Start() Start { return i.table.Start }

// Listen are the addresses of its socket in the spelling of ListenStream=; none if
// it is the template's.
func (i *Instance) Listen() []string { return slices.Clone(i.table.Listen) }

// Parse reads the [unit] table of a file called NAME.toml. Without such a table it
// returns nil and no error. Errors name the key, and the line where that is known.
func Parse(file string, text []byte, scope Scope) (*Instance, error) {
	var whole struct {
		Unit *Table `toml:"unit"`
	}
	if err := decode(text, &whole); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if whole.Unit == nil {
		return nil, nil
	}
	i := &Instance{Name: strings.TrimSuffix(path.Base(file), ".toml"), File: file, scope: scope, table: *whole.Unit}
	if i.table.Start == "" {
		i.table.Start = BySocket
	}
	if err := i.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return i, nil
}

// decode refuses unknown keys in [unit]; all others are settings.
func decode(text []byte, to any) error {
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		for _, missing := range strict.Errors {
			if key := missing.Key(); len(key) > 1 && key[0] == "unit" {
				line, _ := missing.Position()
				return fmt.Errorf("line %d: [unit] has no key %q; it has %s", line, key[1], keys)
			}
		}
		return nil
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		return fmt.Errorf("line %d: %s", line, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return err
}

// keys are listed in the message about one that is not among them.
const keys = "start, listen, socket_group, socket_mode, directory, user, writable, credentials, memory_max"

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	userPattern   = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)
	modePattern   = regexp.MustCompile(`^0?[0-7]{3}$`)
	memoryPattern = regexp.MustCompile(`^([0-9]+[KMGT]?|[0-9]{1,2}%|100%|infinity)$`)
	credPattern   = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// CheckName refuses what cannot be the name of an instance.
func CheckName(name string) error {
	if !namePattern.MatchString(name) || len(name) > maxName {
		return fmt.Errorf("%q cannot be the name of an instance: at most %d of a-z, 0-9, _ and -, and no dash first", name, maxName)
	}
	return nil
}

// check refuses what systemd would ignore with no more than a line in the journal.
func (i *Instance) check() error {
	t := i.table
	if err := CheckName(i.Name); err != nil {
		return fmt.Errorf("%w; rename the file", err)
	}
	if err := i.checkScope(); err != nil {
		return err
	}
	if t.Start != BySocket && t.Start != AtBoot && t.Start != ByHand {
		return fmt.Errorf("start is %q; give socket, boot or no", t.Start)
	}
	for _, c := range []struct {
		key, text, want string
		pattern         *regexp.Regexp
	}{
		{"socket_group", t.SocketGroup, "the name of a group", userPattern},
		{"user", t.User, "the name of a user", userPattern},
		{"socket_mode", t.SocketMode, `octal digits in quotes, like "0660"`, modePattern},
		{"memory_max", t.MemoryMax, `a size like "512M" or "25%"`, memoryPattern},
	} {
		if c.text != "" && !c.pattern.MatchString(c.text) {
			return fmt.Errorf("%s is %q; give %s", c.key, c.text, c.want)
		}
	}
	return i.checkPaths()
}

// checkScope refuses in a user's file what only the system's manager can do.
func (i *Instance) checkScope() error {
	if i.scope == System {
		return nil
	}
	for key, said := range map[string]bool{
		"user": i.table.User != "", "socket_group": i.table.SocketGroup != "", "writable": len(i.table.Writable) > 0,
	} {
		if said {
			return fmt.Errorf("%s means something in /etc/indrik only: here everything is yours already; remove it", key)
		}
	}
	return nil
}

func (i *Instance) checkPaths() error {
	t := i.table
	if t.Directory != "" {
		if err := checkPath("directory", t.Directory); err != nil {
			return err
		}
	}
	for _, p := range t.Writable {
		if err := checkPath("writable", p); err != nil {
			return err
		}
	}
	for _, l := range t.Listen {
		if err := checkListen(l); err != nil {
			return err
		}
	}
	for _, c := range t.Credentials {
		name, file, ok := strings.Cut(c, ":")
		if !ok || !credPattern.MatchString(name) {
			return fmt.Errorf("credentials has %q; give NAME:FILE, with letters, digits, dots, dashes and underscores in NAME", c)
		}
		if err := checkPath("credentials", file); err != nil {
			return err
		}
	}
	return nil
}
