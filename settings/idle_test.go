package settings

import (
	"slices"
	"testing"
)

// Whoever sets what has no effect must be told, and nobody else.
func TestIdle(t *testing.T) {
	v := resolve(t, line("daemon", "true"), line("http_parser", "auto"), line("workers", "2"), line("dirty_apps", "a:B"))
	var names []string
	for _, s := range v.Idle() {
		names = append(names, s.Name)
	}
	if want := []string{"daemon", "dirty_apps"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
