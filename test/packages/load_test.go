package packages

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/indrik/indrik/test/lab"
)

// A load is clients that make requests one after the other and remember what
// failed.
type load struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	served int
	failed []error
}

// press starts clients of a Unix socket in the lab: each request of a fresh
// client has a connection of its own, which nothing may refuse or reset. A client
// that keeps its connection sees it closed when the service leaves, as HTTP
// allows, and net/http then repeats what no byte was answered to.
func press(t *testing.T, l *lab.Lab, socket string, fresh, keeping int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &load{stop: cancel}
	for n := range fresh + keeping {
		client := l.Client("unix", socket)
		if n >= fresh {
			client.Transport.(*http.Transport).DisableKeepAlives = false
		}
		p.done.Go(func() {
			for ctx.Err() == nil {
				p.note(once(client))
			}
			client.CloseIdleConnections()
		})
	}
	t.Cleanup(cancel)
	return p
}

func once(client *http.Client) error {
	resp, err := client.Get("http://lab.test/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(body) != "shop\n" {
		return fmt.Errorf("%s: %q, %w", resp.Status, body, err)
	}
	return nil
}

func (p *load) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed = append(p.failed, err)
		return
	}
	p.served++
}

// count is how many requests were answered so far.
func (p *load) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served
}

// more waits until so many requests more were answered.
func (p *load) more(t *testing.T, n int) {
	t.Helper()
	want, deadline := p.count()+n, time.Now().Add(stepLimit)
	for p.count() < want {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests were answered in %v, want %d more", p.count(), stepLimit, n)
		}
		time.Sleep(10 * time.Millisecond) // clients announce nothing
	}
}

// end stops the clients and demands that nothing failed.
func (p *load) end(t *testing.T) {
	t.Helper()
	p.stop()
	p.done.Wait()
	t.Logf("%d requests were answered, %d failed", p.served, len(p.failed))
	for n, err := range p.failed {
		if n == 5 {
			break
		}
		t.Errorf("a request failed: %v", err)
	}
}
