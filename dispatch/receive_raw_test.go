package dispatch

import (
	"errors"
	"io"
	"slices"
	"testing"
)

// What is received undecoded is what was sent, until the other side is gone.
func TestReceiveRaw(t *testing.T) {
	a, b, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	from, err := NewChannel(a, "from")
	if err != nil {
		t.Fatal(err)
	}
	to, err := NewChannel(b, "to")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	for _, msg := range []Tuple{{"bytes", []byte("one")}, {"text", "two"}} {
		want, err := Marshal(msg)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.Send(msg); err != nil {
			t.Fatal(err)
		}
		if got, fds, err := to.ReceiveRaw(); err != nil || len(fds) != 0 || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, %v, want %q", got, fds, err, want)
		}
	}
	_ = from.Close()
	if _, _, err := to.ReceiveRaw(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end got %v, want EOF", err)
	}
}
