package gateway

import (
	"reflect"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// The master is told what a dead worker held, once, when all loops have had their turn;
// what it had answered it did not hold.
func TestTheMasterIsToldWhatADeadWorkerHeld(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Loops = 2 })
	s := g.hire(0, nil)
	answered, held := g.dial(), g.dial()
	answered.say("GET /answered HTTP/1.1\r\nHost: x\r\n\r\n")
	first, _, _, _, _ := s.take()
	s.send(dispatch.Tuple{first, "200 OK", fields(), []byte("yes")})
	answered.hear("GET")
	held.say("POST /bu%22y?secret=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	second, _, _, _, _ := s.take()
	s.dies("crashed", first, second)
	if r, _ := held.hear("POST"); r.StatusCode != 502 {
		t.Errorf("got %d, want 502", r.StatusCode)
	}
	told := g.told()
	if told[1] != int64(s.pid) || told[2] != int64(1) || namesOf(t, told)[second] != `POST "/bu\"y"` {
		t.Errorf("the master was told %v; want process %d, one request, %d", told, s.pid, second)
	}
}

// Of a worker with a lane of its own the master knows nothing; what it never took is not
// its own, and of many the oldest are named.
func TestTheMasterIsToldOfLanesOfTheirOwn(t *testing.T) {
	const all = leftShown + 2
	g := newOwnRig(t, "wsgi", all+4, func(c *Config) { c.Loops = 2 })
	s := g.hireOwn(0, nil)
	clients := make([]*client, all)
	for i := range clients {
		clients[i] = g.dial()
		clients[i].say(get)
		s.take()
	}
	waits := g.dial()
	waits.say(get)
	waitFor(t, func() bool { return g.board.Loop(0).Dispatched()+g.board.Loop(1).Dispatched() == all+1 })
	s.dies("crashed")
	for _, c := range clients {
		if r, _ := c.hear("GET"); r.StatusCode != 502 {
			t.Errorf("got %d, want 502", r.StatusCode)
		}
	}
	told := g.told()
	if told[1] != int64(s.pid) || told[2] != int64(all) || len(namesOf(t, told)) != leftShown {
		t.Errorf("the master was told %v; want process %d, %d requests and %d of them", told, s.pid, all, leftShown)
	}
	g.hireOwn(1, text("from another"))
	if r, body := waits.hear("GET"); r.StatusCode != 200 || body != "from another" {
		t.Errorf("what was not taken got %d %q", r.StatusCode, body)
	}
}

// told waits for what the gateway says of a dead worker.
func (g *rig) told() dispatch.Tuple {
	g.t.Helper()
	select {
	case msg := <-g.left:
		if len(msg) != 4 {
			g.t.Fatalf("the gateway said %v", msg)
		}
		return msg
	case <-time.After(10 * time.Second):
		g.t.Fatalf("the gateway said nothing of the dead worker\n%s", g.log)
	}
	return nil
}

// namesOf are the requests of such a message by their ids.
func namesOf(t *testing.T, msg dispatch.Tuple) map[int64]string {
	t.Helper()
	names := map[int64]string{}
	for _, v := range msg[3].(dispatch.List) {
		r := v.(dispatch.Tuple)
		if age := r[2].(int64); age < 0 || age > 60_000 {
			t.Errorf("a request of %d ms", age)
		}
		names[r[0].(int64)] = r[1].(string)
	}
	return names
}

// Those that are named are the oldest, in that order, whoever came first.
func TestCasualtiesNameTheOldest(t *testing.T) {
	t.Parallel()
	c := &casualties{}
	for _, age := range []int64{3, 1, 9, 4, 2, 8} {
		c.add(&lostError{id: uint64(age), what: "x", age: age * int64(time.Millisecond)})
	}
	entry := func(n int64) dispatch.Tuple { return dispatch.Tuple{n, "x", n} }
	want := dispatch.Tuple{FactLeft, int64(0), int64(6), dispatch.List{entry(9), entry(8), entry(4), entry(3)}}
	if got := c.answer(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
