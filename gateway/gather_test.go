package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// gate is a connection whose writes wait until they are let through.
type gate struct {
	net.Conn
	open   chan struct{}
	writes chan string
}

func (g *gate) Write(p []byte) (int, error) {
	g.writes <- string(p)
	<-g.open
	return len(p), nil
}
func (g *gate) SetWriteDeadline(time.Time) error { return nil }
func (g *gate) Close() error                     { return nil }

// What is written while something else is on its way leaves together, in order, and
// nobody waited for it: else each response costs its client a wake-up for the head
// and one for the body.
func TestWritesThatFollowEachOtherLeaveTogether(t *testing.T) {
	g := &gate{open: make(chan struct{}, 3), writes: make(chan string, 3)}
	c := newGathered(g, time.Minute)
	write := func(text string) {
		t.Helper()
		if n, err := io.WriteString(c, text); n != len(text) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	write("first,")
	if got := <-g.writes; got != "first," {
		t.Fatalf("the first write is %q", got)
	}
	write("head,")
	write("body")
	g.open <- struct{}{}
	if got := <-g.writes; got != "head,body" {
		t.Errorf("what came meanwhile leaves as %q", got)
	}
	g.open <- struct{}{}
	g.open <- struct{}{}
	write("later")
	if got := <-g.writes; got != "later" {
		t.Errorf("after a pause %q is written", got)
	}
	check(t, c.Close())
}

// Many writers lose nothing, mix no two of their writes, and the last words before
// the close arrive.
func TestGatheredWritesOfManyArriveWhole(t *testing.T) {
	client, server := net.Pipe()
	c := newGathered(server, time.Minute)
	const writers, times, size = 4, 50, 3000
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for range times {
				if _, err := c.Write(bytes.Repeat([]byte{byte('a' + i)}, size)); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	go func() {
		all.Wait()
		_, _ = c.Write([]byte("end")) // the reader tells
		_ = c.Close()
	}()
	got, err := io.ReadAll(client)
	check(t, err)
	for i := 0; i+size <= len(got); i += size {
		if piece := got[i : i+size]; bytes.Count(piece, piece[:1]) != size {
			t.Fatalf("the piece at %d is mixed", i)
		}
	}
	if len(got) != writers*times*size+3 || !bytes.HasSuffix(got, []byte("end")) {
		t.Errorf("%d bytes arrived, ending with %q", len(got), got[len(got)-3:])
	}
}

// A client that takes nothing stops those who write to it, and is given up when its
// patience is over: no memory grows for it.
func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	c := newGathered(server, 50*time.Millisecond)
	written, err := 0, error(nil)
	for err == nil {
		var n int
		n, err = c.Write(make([]byte, 1000))
		if written += n; written > 3*gatherRoom {
			t.Fatalf("%d bytes were taken over for a client that reads nothing", written)
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing failed by %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	_ = c.Close() // must not wait
}

// The close waits for such a client no longer than it says.
func TestCloseDoesNotWaitForAClientThatTakesNothing(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	c := newGathered(server, time.Hour)
	_, err := c.Write([]byte("last words"))
	check(t, err)
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("the close waits")
	}
	if _, err := c.Write([]byte("more")); err == nil {
		t.Error("a closed connection takes more")
	}
}
