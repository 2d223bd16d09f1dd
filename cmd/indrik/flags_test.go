package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/indrik/indrik/settings"
)

// A switch is given by its name alone, as with Gunicorn, and can be taken back
// by a later word.
// Gunicorn takes the value of --proxy-protocol as a word of its own, or none.
func TestJoin(t *testing.T) {
	for args, want := range map[string]string{
		"--proxy-protocol v1 app":               "--proxy-protocol=v1 app",
		"--proxy-protocol app":                  "--proxy-protocol app",
		"--proxy-protocol":                      "--proxy-protocol",
		"app --proxy-protocol=v2 --reload auto": "app --proxy-protocol=v2 --reload auto",
		"-- --proxy-protocol v1":                "-- --proxy-protocol v1",
	} {
		if got := strings.Join(newFlags().join(strings.Fields(args)), " "); got != want {
			t.Errorf("%q became %q, want %q", args, got, want)
		}
	}
}

func TestSwitches(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
		bad  bool
	}{
		{nil, false, false},
		{[]string{"--strip-header-spaces"}, true, false},
		{[]string{"--strip-header-spaces=TRUE"}, true, false},
		{[]string{"--strip-header-spaces", "--strip-header-spaces=false"}, false, false},
		{[]string{"--strip-header-spaces=maybe"}, false, true},
	} {
		fs := newFlags()
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		fs.add(set)
		if err := set.Parse(c.args); err != nil {
			t.Fatalf("%v: %v", c.args, err)
		}
		values, err := settings.Resolve(fs.layer())
		if (err != nil) != c.bad {
			t.Errorf("%v: error %v, want one: %v", c.args, err, c.bad)
		}
		if err == nil && values.StripHeaderSpaces() != c.want {
			t.Errorf("%v: got %v, want %v", c.args, values.StripHeaderSpaces(), c.want)
		}
	}
}
