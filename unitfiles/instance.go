package unitfiles

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
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

// An Instance is what one file says of its units.
type Instance struct {
	Name  string // what stands after the @
	File  string // absolute path of the file, for SourcePath=
	table table
}

// table is [unit]. What is empty is left to the template.
type table struct {
	Start       Start    `toml:"start"`
	Listen      []string `toml:"listen"`       // instead of the template's socket
	SocketGroup string   `toml:"socket_group"` // who may connect to Unix sockets
	SocketMode  string   `toml:"socket_mode"`
	Directory   string   `toml:"directory"` // working directory
	User        string   `toml:"user"`      // one who exists, instead of a dynamic one
	Writable    []string `toml:"writable"`  // paths, besides the state directory
	Credentials []string `toml:"credentials"`
	MemoryMax   string   `toml:"memory_max"`
}

// Parse reads the [unit] table of a file called NAME.toml. Without such a table it
// returns nil and no error. Errors name the key, and the line where that is known.
func Parse(file string, text []byte) (*Instance, error) {
	var whole struct {
		Unit *table `toml:"unit"`
	}
	if err := decode(text, &whole); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if whole.Unit == nil {
		return nil, nil
	}
	i := &Instance{Name: strings.TrimSuffix(path.Base(file), ".toml"), File: file, table: *whole.Unit}
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

// check refuses what systemd would ignore with no more than a line in the journal.
func (i *Instance) check() error {
	t := i.table
	if !namePattern.MatchString(i.Name) || len(i.Name) > maxName {
		return fmt.Errorf("%q cannot be the name of an instance: at most %d of a-z, 0-9, _ and -, and no dash first; rename the file", i.Name, maxName)
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
