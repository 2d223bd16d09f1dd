package gateway

import (
	"net"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// What no worker of the generation before has taken goes to the next, at once and not
// when those before have time; what they have taken they answer.
func TestTheNextGenerationTakesWhatNobodyTook(t *testing.T) {
	g := newRig(t, nil)
	old := g.hire(0, nil)
	held, waits := g.dial(), g.dial()
	held.say(get)
	id, _, _, _, _ := old.take()
	old.row.Begin(uint64(id), dispatch.Monotonic())
	waits.say(get)
	waitFor(t, func() bool { return inLane(g) })

	g.share(2)
	if left := <-g.moved; left != 1 {
		t.Errorf("moved from generation %d, want 1", left)
	}
	g.hire(1, text("from the next"))
	if r, body := waits.hear("GET"); r.StatusCode != 200 || body != "from the next" {
		t.Errorf("the one that nobody took got %d %q", r.StatusCode, body)
	}
	old.send(dispatch.Tuple{id, "200 OK", fields(), []byte("from the one before")})
	if r, body := held.hear("GET"); r.StatusCode != 200 || body != "from the one before" || r.Close {
		t.Errorf("the one that was taken got %d %q, close %v", r.StatusCode, body, r.Close)
	}
	old.dies("asked")
	check(t, g.master.Send(ForgetOrder(1)))
	held.say(get)
	if _, body := held.hear("GET"); body != "from the next" {
		t.Errorf("after the generation before was forgotten: %q", body)
	}
}

// A worker of the generation before that is killed before it wrote which request
// it took leaves no trace of it; nobody else may be waited for.
func TestARequestLostWithTheGenerationBeforeIsFound(t *testing.T) {
	g := newRig(t, nil)
	old := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	old.take()
	g.share(2)
	<-g.moved
	next := g.hire(1, text("ok"))
	old.dies("crashed")
	waitFor(t, func() bool {
		next.row.SetBeat(dispatch.Monotonic()) // it is well and idle
		return c.in.Buffered() > 0 || arrived(c)
	})
	if r, _ := c.hear("GET"); r.StatusCode != 502 {
		t.Errorf("got %d, want 502", r.StatusCode)
	}
}

// arrived reports that the client has something to read.
func arrived(c *client) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // sockets have deadlines
	defer func() { _ = c.SetReadDeadline(time.Now().Add(5 * time.Second)) }()
	_, err := c.in.Peek(1)
	return err == nil
}

// Where another gateway goes on, a client that is about to ask is answered and told
// to close; one that stays silent is let go when its time is over.
func TestADrainGivesIdleConnectionsTime(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, text("ok"))
	asks, silent := g.dial(), g.dial()
	for _, c := range []*client{asks, silent} {
		c.say(get)
		c.hear("GET")
	}
	check(t, g.master.Send(DrainOrder(700*time.Millisecond)))
	waitFor(t, func() bool { // it has begun: nobody is accepted any more
		c, err := net.Dial("tcp", g.address)
		if err == nil {
			_ = c.Close() // it came too early
		}
		return err != nil
	})
	begun := time.Now()
	asks.say(get)
	if r, body := asks.hear("GET"); body != "ok" || !r.Close {
		t.Errorf("a request during the drain got %q, close %v; want an answer that closes", body, r.Close)
	}
	if _, err := silent.in.ReadByte(); err == nil {
		t.Error("the silent connection got something")
	}
	if took := time.Since(begun); took < 300*time.Millisecond || took > 4*time.Second {
		t.Errorf("the silent connection was closed after %v, want about 700ms", took)
	}
	g.expect(FactDrained)
}
