package master

import (
	"regexp"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/settings"
)

// staticFiles reads what is served without a worker, and refuses what could not
// be: a directory that is missing now is mostly a mistyped one. The process
// must stand in its working directory already. The error is a
// [settings.ValueError].
func staticFiles(s *settings.Values) (gateway.Static, error) {
	all := gateway.Static{
		Fallthrough: s.StaticFallthrough(),
		Dotfiles:    s.StaticDotfiles(),
		MaxAge:      s.StaticMaxAge(),
		Immutable:   s.StaticImmutable(),
	}
	if _, err := regexp.Compile(all.Immutable); err != nil {
		return all, refused(s, "static_immutable", all.Immutable, err)
	}
	for _, text := range s.Static() {
		mount, err := gateway.ParseStatic(text)
		if err == nil {
			all.Mounts = append(all.Mounts, mount)
			err = gateway.CheckStatic(all) // with those before it: two may be at odds
		}
		if err != nil {
			return all, refused(s, "static", text, err)
		}
	}
	return all, nil
}

// refused is the error of a text that its setting cannot have.
func refused(s *settings.Values, name, text string, why error) error {
	setting, _ := settings.ByName(name)
	return &settings.ValueError{Setting: setting, Source: s.Source(name), Origin: s.Origin(name), Text: text, Err: why}
}
