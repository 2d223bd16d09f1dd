package dispatch

import (
	"errors"
	"os"
	"testing"
)

// Another owner of the same socket gets what nobody has received, also if somebody
// waited for it when he was interrupted.
func TestChannelChangesHands(t *testing.T) {
	ours, theirs, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	first, err := NewChannel(ours, "peer")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := NewChannel(theirs, "us")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	stopped := make(chan error)
	go func() {
		for {
			if _, _, err := first.Receive(); err != nil {
				stopped <- err
				return
			}
		}
	}()
	if err := first.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an interrupted Receive returned %v", err)
	}
	if err := peer.Send(Tuple{"kept"}); err != nil {
		t.Fatal(err)
	}
	if err := first.Send(Tuple{"sent all the same"}); err != nil {
		t.Errorf("an interrupted channel does not send: %v", err)
	}
	if err := peer.Send(Tuple{"kept, too"}); err != nil {
		t.Fatal(err)
	}
	if err := first.Resume(); err != nil {
		t.Fatal(err)
	}
	if msg, _, err := first.Receive(); err != nil || msg[0] != "kept" {
		t.Errorf("a channel that resumes got %v, %v", msg, err)
	}
	fd, err := first.Dup()
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close() // as the image that went does it
	if _, err := first.Dup(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the copy of a closed channel: %v", err)
	}
	second, err := NewChannel(fd, "peer")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if msg, _, err := second.Receive(); err != nil || msg[0] != "kept, too" {
		t.Errorf("the next owner got %v, %v", msg, err)
	}
}
