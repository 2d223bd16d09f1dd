package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/internal/fdcheck"
)

// slowService answers when it is told to.
type slowService struct {
	Service // what no test calls
	begun   chan struct{}
	release chan struct{}
	left    chan error // whoever did not wait
}

func (s slowService) Status(ctx context.Context) (Status, error) {
	s.begun <- struct{}{}
	select {
	case <-s.release:
		return Status{Name: "slow"}, nil
	case <-ctx.Done():
		s.left <- context.Cause(ctx)
		return Status{}, context.Cause(ctx)
	}
}

func (s slowService) Scale(_ context.Context, workers Amount) (Scaled, error) {
	return Scaled{From: 4, To: workers.Of(4)}, nil
}

// serve opens a socket for a service.
func serve(t *testing.T, service Service) *Client {
	t.Helper()
	fdcheck.NoLeak(t)
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(fd, 100)
	}
	if err != nil {
		t.Fatal(err)
	}
	server, err := Serve(fd, service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Close()
		_ = unix.Close(fd)
	})
	return NewClient(path)
}

// Those that are too many are told so at once, and those that are not are answered.
func TestNoMoreThanSoManyAtATime(t *testing.T) {
	service := slowService{begun: make(chan struct{}), release: make(chan struct{})}
	c := serve(t, service)
	var asking sync.WaitGroup
	for range MaxClients {
		asking.Go(func() {
			var s Status
			if err := c.Get(t.Context(), "status", &s); err != nil || s.Name != "slow" {
				t.Errorf("got %+v, %v", s, err)
			}
		})
		<-service.begun
	}
	var refused *Error
	if err := c.Get(t.Context(), "status", &Status{}); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("one more got %v, want 503", err)
	}
	close(service.release)
	asking.Wait()
}

// A client that leaves ends the wait for its answer.
func TestAClientThatLeaves(t *testing.T) {
	service := slowService{begun: make(chan struct{}), release: make(chan struct{}), left: make(chan error)}
	c := serve(t, service)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Get(ctx, "status", &Status{}) }()
	<-service.begun
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if status := <-service.left; !errors.Is(status, context.Canceled) {
		t.Errorf("the service was told %v", status)
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]int{"4": 4, "+1": 11, "-2": 8, "+0": 10} {
		a, err := ParseAmount(text)
		if err != nil || a.Of(10) != want || a.String() != text {
			t.Errorf("%q of 10 is %d (%s), %v; want %d", text, a.Of(10), a, err, want)
		}
	}
	for _, text := range []string{"", "x", "+", "1.5", "1e3"} {
		if _, err := ParseAmount(text); err == nil {
			t.Errorf("%q is an amount", text)
		}
	}
	c := serve(t, slowService{})
	var s Scaled
	if err := c.Post(t.Context(), "scale", map[string]any{"workers": -1}, &s); err != nil || s.To != 3 {
		t.Errorf("a number in JSON: %+v, %v", s, err)
	}
}

// What is found is what could be asked, and nothing else.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"shop/control", "api/control", "12.control", "other.sock", "empty/x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := ""
	for _, each := range Find(dir, filepath.Join(dir, "missing")) {
		found += each.Name + " "
	}
	if found != "12 api shop " {
		t.Errorf("found %q", found)
	}
	if pid := Holder(filepath.Join(dir, "12.control")); pid != 0 {
		t.Errorf("%d listens on a plain file", pid)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "live"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if pid := Holder(filepath.Join(dir, "live")); pid != os.Getpid() {
		t.Errorf("%d listens, want %d", pid, os.Getpid())
	}
}
