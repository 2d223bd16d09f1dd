package static

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Mount says which directory is served below which prefix.
type Mount struct {
	Prefix string `json:"prefix"` // of the path, beginning with "/"; one "/" at its end does not matter
	Dir    string `json:"dir"`    // relative to the working directory, or absolute
}

// Config is what a [Site] serves, and how.
type Config struct {
	Mounts []Mount `json:"mounts"`
	// Fallthrough leaves to the application what is not there, and every method
	// but GET and HEAD.
	Fallthrough bool `json:"fallthrough"`
	// Dotfiles serves names that begin with a dot too. Without it only
	// /.well-known of a mount is (RFC 8615).
	Dotfiles bool `json:"dotfiles"`
	// MaxAge is for how long clients may use their copy without asking; whole
	// seconds count. 0: they ask each time.
	MaxAge time.Duration `json:"max_age"`
	// Immutable is a regular expression for paths, from the mount on, whose
	// content never changes: clients never ask again. If empty, names like
	// app.0123abcd4567.js are such.
	Immutable string `json:"immutable"`

	// Refuse answers a request that gets no file: the status says why, and cause
	// is what the operating system said, or nil. Header fields that belong to
	// the status (Allow, Content-Range) are set already. Nil answers with the
	// status alone.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, cause error) `json:"-"`
}

// ParseMount reads "/prefix=dir". Its errors are a reason and a remedy.
func ParseMount(text string) (Mount, error) {
	prefix, dir, ok := strings.Cut(text, "=")
	prefix, dir = strings.TrimSpace(prefix), strings.TrimSpace(dir)
	switch {
	case !ok || dir == "":
		return Mount{}, errors.New("not /PREFIX=DIR; write it like /static=public/static")
	case !strings.HasPrefix(prefix, "/"):
		return Mount{}, fmt.Errorf("prefix %q does not begin with a slash; write it like /static=public/static", prefix)
	case prefix != "/" && !lawfulPrefix(strings.Trim(prefix, "/")):
		return Mount{}, fmt.Errorf("prefix %q is no plain path; leave out dots, empty parts and percent signs", prefix)
	}
	return Mount{Prefix: prefix, Dir: dir}, nil
}

// lawfulPrefix accepts only prefixes that a request can name.
func lawfulPrefix(prefix string) bool {
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "%?#\\") {
			return false
		}
	}
	return true
}

// Site serves the directories of a [Config]. A nil Site claims nothing.
type Site struct {
	config    Config
	immutable *regexp.Regexp // nil: hashed names
	mounts    []*mount       // longest prefix first
	now       func() time.Time
}

// New makes a Site. Directories that cannot be opened are no error: their files
// are missing until [Site.Refresh] finds them. The error is that of the
// configuration.
func New(c Config) (*Site, error) {
	s := &Site{config: c, now: time.Now}
	if c.Immutable != "" {
		var err error
		if s.immutable, err = regexp.Compile(c.Immutable); err != nil {
			return nil, fmt.Errorf("read the pattern of immutable names: %w", err)
		}
	}
	for _, m := range c.Mounts {
		prefix := strings.TrimRight(m.Prefix, "/")
		if prefix == "" && !c.Fallthrough {
			return nil, errors.New("static files at / would hide the whole application; let missing files fall through to it (static_fallthrough)")
		}
		same := func(other *mount) bool { return string(other.prefix) == prefix }
		if slices.ContainsFunc(s.mounts, same) {
			return nil, fmt.Errorf("two directories of static files for %s; name one", m.Prefix)
		}
		s.mounts = append(s.mounts, &mount{prefix: []byte(prefix), dir: m.Dir, listing: c.Fallthrough})
	}
	slices.SortStableFunc(s.mounts, func(a, b *mount) int { return len(b.prefix) - len(a.prefix) })
	_ = s.Refresh() // told again by the owner's first call
	return s, nil
}

// Check reports a directory that cannot be served now, for a start that should
// not go on with it.
func Check(c Config) error {
	for _, m := range c.Mounts {
		dir, err := os.Open(m.Dir)
		if err != nil {
			return fmt.Errorf("serve static files at %s: %w", m.Prefix, err)
		}
		info, err := dir.Stat()
		_ = dir.Close() // was only looked at
		if err != nil || !info.IsDir() {
			return fmt.Errorf("serve static files at %s: %s is no directory", m.Prefix, m.Dir)
		}
	}
	s, err := New(c)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// Refresh looks whether the directories are still those that their paths name,
// and opens those that were replaced. The error names all that cannot be
// opened; what was open stays so. It is to be called every second or so, by one
// goroutine at a time.
func (s *Site) Refresh() error {
	var errs []error
	for _, m := range s.mounts {
		if err := m.refresh(s.now()); err != nil {
			errs = append(errs, fmt.Errorf("open static files of %s/: %w", m.prefix, err))
		}
	}
	return errors.Join(errs...)
}

// Close closes the directories. Requests that run then find nothing.
func (s *Site) Close() {
	for _, m := range s.mounts {
		m.close()
	}
}

// Claims reports whether a request is for this Site; path is decoded, as in
// PATH_INFO. It allocates nothing and does not touch the disk. With
// Config.Fallthrough a claimed request may yet turn out to be the application's:
// see [Site.Serve].
func (s *Site) Claims(method, path []byte) bool {
	if s == nil {
		return false
	}
	m, rest := s.find(path)
	switch {
	case m == nil:
		return false
	case !s.config.Fallthrough:
		return true
	}
	return (string(method) == "GET" || string(method) == "HEAD") && m.mayHold(rest)
}

// find returns the mount of a decoded path, and what follows its prefix: empty,
// or beginning with "/".
func (s *Site) find(path []byte) (*mount, []byte) {
	for _, m := range s.mounts {
		if rest, ok := bytes.CutPrefix(path, m.prefix); ok && (len(rest) == 0 || rest[0] == '/') {
			return m, rest
		}
	}
	return nil, nil
}
