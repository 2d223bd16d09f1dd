package master

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/settings"
)

// A directory that is not there is refused before anything starts, and blamed on
// the option that names it: that is what makes the exit status 2.
func TestStaticFilesOfTheSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set  map[string][]string
		want string // in the error; none if empty
	}{
		{map[string][]string{"static": {"/s=" + dir, "/t=" + dir}, "static_max_age": {"5"}}, ""},
		{map[string][]string{"static": {"/=" + dir}, "static_fallthrough": {"true"}}, ""},
		{map[string][]string{"static": {"/s=" + dir + "/none"}}, "no such file"},
		{map[string][]string{"static": {"/s=" + dir + "/file"}}, "is no directory"},
		{map[string][]string{"static": {"/s=" + dir, "/s/=" + dir}}, "two directories"},
		{map[string][]string{"static": {"/=" + dir}}, "static_fallthrough"},
		{map[string][]string{"static": {"s=" + dir}}, "write it like"},
		{map[string][]string{"static_immutable": {"("}}, "missing closing )"},
	} {
		layer := settings.Layer{Source: settings.CommandLine}
		for name, texts := range c.set {
			layer.Items = append(layer.Items, settings.Item{Name: name, Texts: texts, Origin: "--" + name})
		}
		values, err := settings.Resolve(layer)
		if err != nil {
			t.Fatal(err)
		}
		got, err := staticFiles(values)
		if c.want == "" {
			if err != nil || len(got.Mounts) != len(c.set["static"]) {
				t.Errorf("%v: got %+v, %v", c.set, got, err)
			}
			continue
		}
		var refused *settings.ValueError
		if !errors.As(err, &refused) || refused.Source != settings.CommandLine || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q blamed on the command line", c.set, err, c.want)
		}
	}
	values, _ := settings.Resolve(settings.Layer{Source: settings.CommandLine, Items: []settings.Item{{Name: "static", Texts: []string{"/s=" + dir}, Origin: "--static"}}})
	want := gateway.Static{Mounts: []gateway.StaticMount{{Prefix: "/s", Dir: dir}}, MaxAge: time.Minute}
	if got, err := staticFiles(values); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
