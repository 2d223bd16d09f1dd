package activation

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Sockets of one address are spread over only if all of them agree to it.
func TestReusePort(t *testing.T) {
	t.Parallel()
	first := mustListen(t, "127.0.0.1:0", ListenOptions{ReusePort: true})
	second := mustListen(t, first.Address, ListenOptions{ReusePort: true})
	if first.Address != second.Address || first.FD == second.FD {
		t.Errorf("sockets %+v and %+v, want two at one address", first, second)
	}
	bind, err := ParseBind(first.Address)
	if err != nil {
		t.Fatal(err)
	}
	if third, err := Listen(context.Background(), bind, ListenOptions{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a third without the option: %+v, %v, want EADDRINUSE", third, err)
	}
}
