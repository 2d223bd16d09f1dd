package settings

import (
	"reflect"
	"testing"
)

// A wrong name or type in an accessor panics when it is called, so each is; and a
// setting without one is of no use.
func TestEveryAccessor(t *testing.T) {
	v := reflect.ValueOf(resolve(t))
	accessors := 0
	for i := range v.NumMethod() {
		if m := v.Method(i); m.Type().NumIn() == 0 {
			m.Call(nil)
			accessors++
		}
	}
	effective := 0
	for _, s := range registry {
		if s.Instead == "" {
			effective++
		}
	}
	if accessors <= effective { // one more is Idle
		t.Errorf("%d accessors for %d settings that have an effect", accessors, effective)
	}
}
