package settings

import (
	"reflect"
	"testing"
	"time"
)

func TestDefaultsOfFilesAndRequestIDs(t *testing.T) {
	v := resolve(t)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"request_id", v.RequestID(), false},
		{"request_id_header", v.RequestIDHeader(), "X-Request-ID"},
		{"request_start", v.RequestStart(), false},
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
