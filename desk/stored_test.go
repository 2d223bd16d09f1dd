package desk

import (
	"testing"

	"github.com/indrik/indrik/activation"
)

// Only what can be found again under its name goes into the store, and no address has
// the name of another.
func TestNamesInTheStore(t *testing.T) {
	file := activation.FileID{Device: 1, Inode: 2}
	for _, c := range []struct {
		socket activation.Socket
		want   string
	}{
		{activation.Socket{Name: "127.0.0.1:8000", Owned: true}, "bind=127.0.0.1%3A8000"},
		{activation.Socket{Name: ":8000", Owned: true}, "bind=0.0.0.0%3A8000"},
		{activation.Socket{Name: "[fe80::1%eth0]:8000", Owned: true}, "bind=[fe80%3A%3A1%25eth0]%3A8000"},
		{activation.Socket{Name: "unix:@there", Owned: true}, "bind=unix%3A@there"},
		{activation.Socket{Name: "unix:/run/there", Owned: true, File: file}, ""},
		{activation.Socket{Name: "http"}, ""},
	} {
		if got := inStore(c.socket); got != c.want {
			t.Errorf("%q is stored as %q, want %q", c.socket.Name, got, c.want)
		}
	}
}
