package gateway

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// A client that leaves while its request is queued takes it along.
func TestRequestsOfClientsThatLeftNeverReachAWorker(t *testing.T) {
	g := newRig(t, nil)
	gone := g.dial()
	gone.say("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
	stays := g.dial()
	stays.say("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n")
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 2 })
	_ = gone.Conn.(interface{ SetLinger(int) error }).SetLinger(0) // reset
	_ = gone.Close()
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 1 })
	paths := make(chan string, 2)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		paths <- env["PATH_INFO"].(string)
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("ok")})
	})
	stays.hear("GET")
	if first := <-paths; first != "/stays" || len(paths) > 0 {
		t.Errorf("the worker saw %q and %d more", first, len(paths))
	}
}

func TestAFullQueueAnswers503(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Queue = 1; c.QueueTimeout = time.Second })
	first := g.dial()
	first.say(get)
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 })
	second := g.dial()
	second.say(get)
	if r, _ := second.hear("GET"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("past the queue's limit: %v", r)
	}
	if r, _ := first.hear("GET"); r.StatusCode != 503 {
		t.Errorf("past the queue's deadline: %v", r)
	}
}

// With several loops every connection is answered, all loops have some, and all
// of them drain.
func TestSeveralLoops(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Loops = 3 })
	for slot := range 3 {
		g.hire(slot, text("ok"))
	}
	var clients []*client
	for range 30 {
		clients = append(clients, g.dial())
	}
	for range 20 {
		for _, c := range clients {
			c.say(get)
		}
		for _, c := range clients {
			if r, body := c.hear("GET"); body != "ok" || r.StatusCode != 200 {
				t.Fatalf("got %d %q", r.StatusCode, body)
			}
		}
	}
	for i := range 3 {
		waitFor(t, func() bool { return g.board.Loop(i).Connections() == 10 && g.board.Loop(i).Answered() == 200 })
	}
	check(t, g.master.Send(DrainOrder(0)))
	for _, c := range clients {
		c.closed()
	}
	g.expect(FactDrained)
}

// A client that reads slowly gets everything, in order, and holds no worker:
// others are served meanwhile.
func TestASlowReaderOfManyResponses(t *testing.T) {
	g := newRig(t, nil)
	page := strings.Repeat("0123456789abcdef", 4000)
	g.hire(0, text(page))
	c := g.dial()
	const n = 300 // far more than the socket's buffers hold
	go func() { _, _ = c.Write([]byte(strings.Repeat(get, n))) }()
	waitFor(t, func() bool { return g.board.Loop(0).Answered() > 1 })
	time.Sleep(100 * time.Millisecond) // so that the buffers are full
	other := g.dial()
	for range 10 {
		other.say(get)
		other.hear("GET")
	}
	for i := range n {
		if _, body := c.hear("GET"); body != page {
			t.Fatalf("response %d has %d bytes", i, len(body))
		}
	}
}

// A client that stops reading is given up after a while, and nothing of it stays.
func TestAClientThatStopsReadingIsClosed(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Patience = 300 * time.Millisecond })
	g.hire(0, text(strings.Repeat("x", 60_000)))
	c := g.dial()
	check(t, c.Conn.(*net.TCPConn).SetReadBuffer(4096))
	go func() { _, _ = c.Write([]byte(strings.Repeat(get, 1000))) }()
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 1 })
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 0 })
}

// A client that said that its request is the last is not waited for: a connection for
// each request would cost twice as much. If something of it is unread, closing would
// be a reset that overtakes the response, and so it is.
func TestAClientThatSaidItWasTheLastIsNotWaitedFor(t *testing.T) {
	const closing, old = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"
	for said, want := range map[string]connPhase{closing: closed, old: closed, get: reading, closing + get: lingering, old + "\r\n": lingering} {
		b := newBench(t)
		b.request = []byte(said)
		b.answer(b.ask())
		b.loop.replies(b.loop.workers[1])
		if b.conn.phase != want {
			t.Errorf("%q: the connection is %v, want %v", said, b.conn.phase, want)
		}
		n, err := readFD(b.client, b.received)
		if check(t, err); !strings.HasSuffix(string(b.received[:n]), "Hello, world!\n") {
			t.Errorf("%q: the response is %q", said, b.received[:n])
		}
		if n, err := readFD(b.client, b.received); (n == 0 && err == nil) != (want != reading) {
			t.Errorf("%q: then %d bytes come, %v", said, n, err)
		}
	}
}

// A client that half-closes after its request still gets the response.
func TestAHalfClosedClientIsAnswered(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(get)
	check(t, c.Conn.(*net.TCPConn).CloseWrite())
	id, _, _, _, _ := s.take()
	time.Sleep(20 * time.Millisecond) // so that the end has been seen before the reply
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("still here")})
	if r, body := c.hear("GET"); body != "still here" || !r.Close {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	c.closed()
}

// A drain finishes what is held, says Connection: close, and takes nothing new.
func TestDrainFinishesWhatIsHeld(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	c, idle := g.dial(), g.dial()
	idle.say(get)
	id, _, _, _, _ := s.take()
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("before")})
	idle.hear("GET")
	c.say(get)
	id, _, _, _, _ = s.take()
	check(t, g.master.Send(DrainOrder(0)))
	idle.closed()
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("during")})
	if r, body := c.hear("GET"); body != "during" || !r.Close {
		t.Errorf("the held request got %q, close %v", body, r.Close)
	}
	c.closed()
	g.expect(FactDrained)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	g := newRig(t, func(c *Config) { c.KeepAlive = 300 * time.Millisecond; c.Patience = 500 * time.Millisecond })
	g.hire(0, text("ok"))
	c, slow := g.dial(), g.dial()
	c.say(get)
	slow.say("GET / HT")
	c.hear("GET")
	c.closed()
	if r, _ := slow.hear("GET"); r.StatusCode != 408 {
		t.Errorf("half a head got %d, want 408", r.StatusCode)
	}
	slow.closed()
}

// Slow workers must not hold back requests that their clients may withdraw;
// fast ones must not have to wait for the gateway.
func TestTheLaneHoldsWhatTheWorkersSoonTake(t *testing.T) {
	l := &loop{loopCount: 2, lane: &lane{generation: 1, seats: 1}, workers: map[int]*worker{}}
	l.setQuota()
	if l.lane.quota != 0 {
		t.Errorf("without workers the lane may hold %d", l.lane.quota)
	}
	for pid := range 3 {
		l.workers[pid] = &worker{pid: pid, generation: 1}
	}
	l.workers[9] = &worker{pid: 9, generation: 2} // of another lane
	for _, c := range []struct {
		answered uint64
		elapsed  time.Duration
		want     int
	}{
		{0, 100 * time.Millisecond, 3}, {50, 100 * time.Millisecond, 3}, {5000, 100 * time.Millisecond, 53},
		{5000, 0, 5003}, {0, time.Hour, 3},
	} {
		l.answered += c.answered
		l.keepPace(int64(c.elapsed))
		if l.lane.quota != c.want {
			t.Errorf("%d answered in %v: the lane may hold %d, want %d", c.answered, c.elapsed, l.lane.quota, c.want)
		}
	}
}
