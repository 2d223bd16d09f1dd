package gateway

import (
	"testing"

	"github.com/indrik/indrik/dispatch"
)

// held asks the gateway how many requests a generation has.
func (g *rig) held(generation int) int {
	g.t.Helper()
	check(g.t, g.master.Send(HeldOrder(generation)))
	msg := <-g.facts
	if len(msg) != 3 || msg[0] != FactHeld || msg[1] != int64(generation) {
		g.t.Fatalf("the gateway said %v, want how many requests generation %d holds", msg, generation)
	}
	return int(msg[2].(int64))
}

// What a generation holds falls to nothing once another has taken over, and not
// before its last request is answered.
func TestWhatAGenerationHoldsIsCounted(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Loops = 2 })
	old := g.hire(0, nil)
	c, gone := g.dial(), g.dial()
	c.say(get)
	id, _, _, _, _ := old.take()
	if n := g.held(1); n != 1 {
		t.Errorf("it holds %d requests, want 1", n)
	}
	gone.say(get)
	second, _, _, _, _ := old.take()
	_ = gone.Close() // the worker goes on all the same
	g.share(2)
	<-g.moved
	if one, two := g.held(1), g.held(2); one != 2 || two != 0 {
		t.Errorf("the old one holds %d, the new one %d; want 2, 0", one, two)
	}
	for _, id := range []int64{id, second} {
		old.send(dispatch.Tuple{id, "200 OK", fields(), []byte("old")})
	}
	if _, body := c.hear("GET"); body != "old" {
		t.Errorf("the answer was %q", body)
	}
	waitFor(t, func() bool { return g.held(1) == 0 })
}
