package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// inAFile is a request whose body does not fit a message.
var inAFile = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("b", 100_000)

func TestADescriptorIsGivenOnce(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, fd int) {
		if fd < 0 {
			t.Error("no descriptor came")
		}
		closeFD(fd)
		for _, other := range []int64{id, id + 1, 7<<48 | 5} { // given, never given out, another epoch's
			if fd := s.fetch(other); fd >= 0 {
				t.Errorf("a descriptor came for %#x", other)
				closeFD(fd)
			}
		}
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("once")})
	})
	c := g.dial()
	c.say(inAFile)
	if _, body := c.hear("POST"); body != "once" {
		t.Errorf("got %q", body)
	}
}

// Of a request whose client has left before its worker asks for the body, nothing is done,
// and its place on the lane is free.
func TestARequestOfNobodyIsNotGiven(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for range 5 { // more than the lane holds at a time
		c := g.dial()
		c.say(inAFile)
		id, _, body, ok := s.receive()
		if !ok || body != nil {
			t.Fatalf("got a body of %v in the message, want it to be fetched", body)
		}
		check(t, c.Conn.(*net.TCPConn).SetLinger(0))
		check(t, c.Close()) // a reset, which the loop hears before the question
		if fd := s.fetch(id); fd >= 0 {
			t.Error("the body of a request came that nobody waits for")
			closeFD(fd)
		}
	}
	waitFor(t, func() bool { return g.board.Loop(0).Dispatched() == 0 })
}

// A worker that dies before it has the body has begun nothing, so another gets the request.
func TestAnUnfetchedRequestOutlivesItsWorker(t *testing.T) {
	for _, c := range []struct {
		name string
		rig  func(*testing.T) *rig
		hire func(*rig, int) *seat
	}{
		{"shared lane", func(t *testing.T) *rig { return newRig(t, nil) }, func(g *rig, slot int) *seat { return g.hire(slot, nil) }},
		{"own lane", func(t *testing.T) *rig { return newOwnRig(t, "wsgi", 2, nil) }, func(g *rig, slot int) *seat { return g.hireOwn(slot, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.rig(t)
			first := c.hire(g, 0)
			client := g.dial()
			client.say(inAFile)
			if _, _, body, ok := first.receive(); !ok || body != nil {
				t.Fatalf("got a body of %v in the message, want it to be fetched", body)
			}
			first.dies("crashed")
			second := c.hire(g, 1)
			second.row.SetBeat(dispatch.Monotonic() + int64(time.Minute)) // it cannot be the one that has it
			id, _, _, fd, ok := second.take()
			if !ok || fd < 0 {
				t.Fatalf("the next worker got descriptor %d, %v", fd, ok)
			}
			body := arriving(fd)
			if text, err := io.ReadAll(body); err != nil || len(text) != 100_000 {
				t.Errorf("it read %d bytes, %v", len(text), err)
			}
			check(t, body.Close())
			second.send(dispatch.Tuple{id, "200 OK", fields(), []byte("kept")})
			if r, body := client.hear("POST"); r.StatusCode != 200 || body != "kept" {
				t.Errorf("got %d %q", r.StatusCode, body)
			}
		})
	}
}

// What becomes of a descriptor that cannot be given: it stays for another worker if this
// one is dead, else the request fails.
func TestADescriptorThatCannotBeGiven(t *testing.T) {
	b := newBench(t)
	l := b.loop
	dispatchWithBody := func() (*request, chan answer) {
		file, err := os.Open(os.DevNull)
		need(t, err)
		r := l.requests.add()
		r.answers, r.body = make(chan answer, answerRoom), file
		r.phase, r.lane = dispatched, l.lane
		l.lane.dispatched++
		return r, r.answers
	}
	ours, theirs, err := dispatch.SocketPair()
	need(t, err)
	need(t, unix.Close(theirs))
	t.Cleanup(func() { closeFD(ours) })
	r, _ := dispatchWithBody()
	if l.fetched(&worker{pid: 1, fd: ours}, r.id, r); !r.unbegun() {
		t.Error("the descriptor has gone with a dead worker")
	}
	r, answers := dispatchWithBody()
	l.fetched(&worker{pid: 1, fd: -1}, r.id, r)
	if a := <-answers; !errors.Is(a.failed, errDescriptors) {
		t.Errorf("the request got %v, want %v", a.failed, errDescriptors)
	}
	if l.lane.dispatched != 1 {
		t.Errorf("%d places of the lane are taken, want that of the first request", l.lane.dispatched)
	}
}
