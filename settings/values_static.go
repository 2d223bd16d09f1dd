package settings

import (
	"slices"
	"time"
)

// Static returns directories of files and the prefixes they are served below,
// as "/prefix=dir", in order. They are not checked: the grammar is the gateway's.
func (v *Values) Static() []string { return slices.Clone(of[[]string](v, "static")) }

// StaticFallthrough lets the application answer for files that are not there.
func (v *Values) StaticFallthrough() bool { return of[bool](v, "static_fallthrough") }

// StaticMaxAge is for how long clients may use a copy without asking; 0 for not
// at all.
func (v *Values) StaticMaxAge() time.Duration { return of[time.Duration](v, "static_max_age") }

// StaticImmutable is a regular expression for paths of files that never change,
// or "" for names that hold a digest.
func (v *Values) StaticImmutable() string { return of[string](v, "static_immutable") }

// StaticDotfiles serves names that begin with a dot too.
func (v *Values) StaticDotfiles() bool { return of[bool](v, "static_dotfiles") }
