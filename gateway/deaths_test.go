package gateway

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// The client of a dead worker gets a 502, one of a worker that was killed for
// being late a 504, and nobody else notices.
func TestADeadWorkersClientsAreAnswered(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for cause, status := range map[string]int{"crashed": 502, CauseTimeout: 504} {
		c := g.dial()
		c.say(get)
		id, _, _, _, _ := s.take()
		s.dies(cause, id)
		if r, _ := c.hear("GET"); r.StatusCode != status || r.Close {
			t.Errorf("cause %q gave %d, close %v; want %d on a connection that goes on", cause, r.StatusCode, r.Close, status)
		}
		s = g.hire(0, nil)
		c.say(get)
		id, _, _, _, _ = s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("again")})
		if _, body := c.hear("GET"); body != "again" {
			t.Errorf("after the death the connection gave %q", body)
		}
	}
}

// A reply that was sent before the worker died counts, even if the master's
// word of the death comes first.
func TestTheLastReplyOfADeadWorkerIsSent(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for range 20 {
		c := g.dial()
		c.say(get)
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("last words")})
		s.dies("crashed", id)
		if r, body := c.hear("GET"); r.StatusCode != 200 || body != "last words" {
			t.Fatalf("got %d %q", r.StatusCode, body)
		}
		s = g.hire(0, nil)
	}
}

// A worker killed between taking a request and writing its id leaves no trace;
// the request must be found missing, without any other traffic.
func TestARequestThatNobodyHoldsIsFound(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	s.take()
	s.dies("crashed")
	if r, _ := c.hear("GET"); r.StatusCode != 502 {
		t.Errorf("got %d, want 502", r.StatusCode)
	}
}

// As long as a living worker may be the one that took the request, and has only
// not written its id yet, nobody may answer in its place.
func TestALivingWorkerMayYetHoldTheRequest(t *testing.T) {
	g := newRig(t, nil)
	lives, dies := g.hire(0, nil), g.hire(1, nil)
	lives.row.SetBeat(dispatch.Monotonic())
	c := g.dial()
	c.say(get)
	id, _, _, _, _ := lives.take()
	dies.dies("crashed")
	time.Sleep(400 * time.Millisecond) // several searches, in none of which it may count as lost
	lives.send(dispatch.Tuple{id, "200 OK", fields(), []byte("mine")})
	if r, body := c.hear("GET"); r.StatusCode != 200 || body != "mine" {
		t.Errorf("got %d %q", r.StatusCode, body)
	}
	c.say(get)
	lives.take()
	g.hire(2, nil).dies("crashed")
	waitFor(t, func() bool {
		lives.row.SetBeat(dispatch.Monotonic()) // it is idle and well, so it was not the one
		return strings.Contains(g.log.String(), "request was lost")
	})
	if r, _ := c.hear("GET"); r.StatusCode != 502 {
		t.Errorf("got %d, want 502", r.StatusCode)
	}
}

// A request that still lies in the lane must survive its worker's death.
func TestWaitingRequestsSurviveADeath(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	waitFor(t, func() bool { return inLane(g) })
	s.dies("crashed")
	time.Sleep(400 * time.Millisecond) // several searches for lost requests, of which nothing may come
	g.hire(0, text("from the successor"))
	if r, body := c.hear("GET"); r.StatusCode != 200 || body != "from the successor" {
		t.Errorf("got %d %q", r.StatusCode, body)
	}
}

func inLane(g *rig) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(g.lane[1], b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil
}
