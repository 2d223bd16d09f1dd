package desk

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/indrik/indrik/metrics"
)

// A loop that does not turn is said to be stuck, and those who ask do not fill its
// mailbox meanwhile.
func TestAStuckLoopIsToldOf(t *testing.T) {
	t.Parallel()
	var lobby Lobby
	turns := make(chan func(), 64)
	put := func(do func()) { turns <- do }
	look := func() *metrics.Facts { return &metrics.Facts{PID: 7} }
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() {
			if f, err := lobby.Ask(ctx, put, look); !errors.Is(err, ErrStuck) || f != nil {
				t.Errorf("got %v and %v", f, err)
			}
		})
	}
	asking.Wait()
	if n := len(turns); n != 1 {
		t.Errorf("%d questions are in the mailbox", n)
	}
	(<-turns)() // it turns again
	go func() { (<-turns)() }()
	if f, err := lobby.Ask(t.Context(), put, look); err != nil || f.PID != 7 {
		t.Errorf("afterwards: %v and %v", f, err)
	}
}

// Clients past the limit wait, and are served when others leave.
func TestFewClientsAtATime(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	l := &few{Listener: ln, places: make(chan struct{}, 2)}
	accepted := make(chan net.Conn, 4)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		conn, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	<-accepted
	select {
	case <-accepted:
		t.Fatal("a third client was let in")
	case <-time.After(50 * time.Millisecond): // nothing tells of what does not happen
	}
	_ = first.Close()
	_ = first.Close() // net/http may do so too: it is one place
	<-accepted
	if len(l.places) != 2 {
		t.Errorf("%d places are taken, want 2", len(l.places))
	}
	_ = ln.Close()
}
