package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects to an address inside the lab: a network of "tcp" with a
// literal IP address and port, or "unix" with a path. The connection belongs to
// the caller and works from this process like any other.
func (l *Lab) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if network == "unix" {
		return d.DialContext(ctx, network, l.path(address))
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// A socket belongs to the network namespace of the thread that makes
		// it. The thread is never unlocked, so it ends with this goroutine
		// and nobody else runs in the lab's network by accident.
		runtime.LockOSThread()
		if err := l.enterNetwork(); err != nil {
			done <- result{err: err}
			return
		}
		// A literal address is dialled by this very goroutine.
		conn, err := d.DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// enterNetwork moves the calling thread into the lab's network namespace.
func (l *Lab) enterNetwork() error {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", l.leader))
	if err != nil {
		return fmt.Errorf("open the lab's network namespace: %w", err)
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the lab's network namespace: %w", err)
	}
	return nil
}

// Client returns an HTTP client all of whose requests go to one address inside
// the lab, whatever host their URL names. It makes a connection per request and
// never retries (net/http repeats only on connections used before).
func (l *Lab) Client(network, address string) *http.Client {
	return &http.Client{
		Timeout: 60 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return l.Dial(ctx, network, address)
			},
		},
	}
}
