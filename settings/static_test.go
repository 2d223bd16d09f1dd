package settings

import (
	"reflect"
	"testing"
	"time"
)

func TestDefaultsOfStaticFiles(t *testing.T) {
	v := resolve(t)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"static", v.Static(), []string{}},
		{"static_fallthrough", v.StaticFallthrough(), false},
		{"static_max_age", v.StaticMaxAge(), time.Minute},
		{"static_immutable", v.StaticImmutable(), ""},
		{"static_dotfiles", v.StaticDotfiles(), false},
	} {
		if !reflect.DeepEqual(c.got, c.want) || v.Source(c.name) != Default {
			t.Errorf("%s: got %#v from %v, want %#v", c.name, c.got, v.Source(c.name), c.want)
		}
	}
}
