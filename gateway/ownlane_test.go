package gateway

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// newOwnRig starts a gateway for workers that have lanes of their own.
func newOwnRig(t *testing.T, iface string, seats int, change func(*Config)) *rig {
	t.Helper()
	g := startRig(t, change)
	g.generation = 1
	check(t, g.master.Send(LaneOrder(1, iface, seats)))
	g.serve()
	return g
}

// hireOwn adds a worker with a lane of its own. The test keeps both ends, as the
// master does.
func (g *rig) hireOwn(slot int, app application) *seat {
	g.t.Helper()
	ours, theirs, err := dispatch.SocketPair()
	check(g.t, err)
	check(g.t, unix.SetsockoptTimeval(theirs, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
	s := g.employ(&seat{slot: slot, lane: theirs, own: []int{ours, theirs}}, app)
	g.t.Cleanup(func() { _ = unix.Shutdown(theirs, unix.SHUT_RDWR) })
	return s
}

// gets waits for the next request of the worker and returns its path.
func (s *seat) gets() (id int64, path string) {
	s.rig.t.Helper()
	id, env, _, _, ok := s.take()
	if !ok {
		s.rig.t.Fatalf("worker %d got no request", s.slot)
	}
	path, _ = env["PATH_INFO"].(string)
	return id, path
}

// answer sends a reply with this body.
func (s *seat) answer(id int64, body string) {
	s.rig.t.Helper()
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte(body)})
}

// idle reports that nothing is in the worker's lane.
func (s *seat) idle() bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(s.lane, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN
}

// asks opens a connection and asks for a path.
func (g *rig) asks(path string) *client {
	g.t.Helper()
	c := g.dial()
	c.say("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
	return c
}

// isGiven checks the next response of a client.
func (c *client) isGiven(status int, body string) {
	c.t.Helper()
	r, got := c.hear("GET")
	if r.StatusCode != status || status == 200 && got != body {
		c.t.Errorf("got %d %q, want %d %q", r.StatusCode, got, status, body)
	}
}

// Behind a worker that is slow nobody may wait while another is idle.
func TestTheIdlestWorkerGetsTheNextRequest(t *testing.T) {
	g := newOwnRig(t, "wsgi", 10, nil)
	a, b := g.hireOwn(0, nil), g.hireOwn(1, nil)
	slow := g.asks("/slow")
	waitFor(t, func() bool { return !a.idle() || !b.idle() })
	if a.idle() {
		a, b = b, a
	}
	held, _ := a.gets()
	for i := range 5 {
		c := g.asks(fmt.Sprint("/", i))
		id, path := b.gets()
		b.answer(id, path)
		c.isGiven(200, fmt.Sprint("/", i))
	}
	a.answer(held, "done")
	slow.isGiven(200, "done")
}

// What a worker cannot take waits in the gateway, where its client can withdraw
// it and another worker can get it.
func TestAWorkerGetsNoMoreThanItsSeats(t *testing.T) {
	g := newOwnRig(t, "wsgi", 2, nil)
	w := g.hireOwn(0, nil)
	clients := map[string]*client{}
	for _, path := range []string{"/1", "/2", "/3"} {
		clients[path] = g.asks(path)
	}
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 && g.board.Loop(0).Dispatched() == 2 })
	first, path1 := w.gets()
	second, path2 := w.gets()
	if !w.idle() {
		t.Error("a worker of two seats got three requests")
	}
	w.answer(first, path1)
	clients[path1].isGiven(200, path1)
	third, path3 := w.gets()
	w.answer(second, path2)
	w.answer(third, path3)
	clients[path2].isGiven(200, path2)
	clients[path3].isGiven(200, path3)
}

// Of a dead worker's requests only those that it had taken are lost. The others
// go to another worker with their bodies, whichever loop they are of.
func TestOnlyWhatADeadWorkerTookIsLost(t *testing.T) {
	g := newOwnRig(t, "wsgi", 100, func(c *Config) { c.Loops = 2 })
	dead := g.hireOwn(0, nil)
	took := map[string]bool{}
	var small []*client
	for i := range 6 {
		small = append(small, g.asks(fmt.Sprint("/", i)))
	}
	waitFor(t, func() bool { return g.board.Loop(0).Dispatched()+g.board.Loop(1).Dispatched() == 6 })
	for range 2 {
		_, path := dead.gets()
		took[path] = true
	}
	large := g.dial()
	body := strings.Repeat("x", 100<<10)
	large.say(fmt.Sprintf("POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	waitFor(t, func() bool { return g.board.Loop(0).Dispatched()+g.board.Loop(1).Dispatched() == 7 })
	alive := g.hireOwn(1, func(s *seat, id int64, env map[string]any, _ []byte, fd int) {
		said := env["PATH_INFO"].(string)
		if fd >= 0 {
			buffer := make([]byte, 2*len(body))
			n, err := unix.Read(fd, buffer)
			check(t, err)
			check(t, unix.Close(fd))
			said = fmt.Sprintf("%s with %d", said, n)
		}
		s.answer(id, said)
	})
	dead.dies("crashed")
	for i, c := range small {
		if path := fmt.Sprint("/", i); took[path] {
			c.isGiven(502, "")
		} else {
			c.isGiven(200, path)
		}
	}
	large.isGiven(200, fmt.Sprintf("/large with %d", len(body)))
	if !alive.idle() {
		t.Error("something was dispatched twice")
	}
}

// A worker that answered and died has answered; one killed for silence makes
// 504 of the rest.
func TestTheLastRepliesOfAWorkerWithItsOwnLaneAreSent(t *testing.T) {
	g := newOwnRig(t, "wsgi", 10, nil)
	w := g.hireOwn(0, nil)
	clients := map[string]*client{"/1": g.asks("/1"), "/2": g.asks("/2")}
	first, path1 := w.gets()
	_, path2 := w.gets()
	w.answer(first, "last words")
	w.dies(CauseTimeout)
	clients[path1].isGiven(200, "last words")
	clients[path2].isGiven(504, "")
}

// A worker that retires takes what is in its lane, gets nothing more, and finds
// the lane's end when the master has closed its copy.
func TestAReleasedWorkerFinishesAndLeaves(t *testing.T) {
	g := newOwnRig(t, "wsgi", 10, func(c *Config) { c.Loops = 2 })
	w := g.hireOwn(0, nil)
	c := g.asks("/in-the-lane")
	waitFor(t, func() bool { return !w.idle() })
	check(t, g.master.Send(ReleaseOrder(w.slot, w.pid)))
	check(t, unix.Close(w.own[0]))
	id, path := w.gets()
	w.answer(id, path)
	c.isGiven(200, "/in-the-lane")
	if _, _, _, _, ok := w.take(); ok {
		t.Fatal("it got a request, want the end of its lane")
	}
	late := g.asks("/late")
	waitFor(t, func() bool { return g.board.Loop(0).Queued()+g.board.Loop(1).Queued() == 1 })
	w.dies("asked")
	g.hireOwn(0, text("successor"))
	late.isGiven(200, "successor")
}

// An application that waits for something on behalf of a client must learn that
// the client left, wherever its connection was. Until it has given up, its place
// is taken.
func TestAWorkerIsToldThatAClientLeft(t *testing.T) {
	g := newOwnRig(t, "wsgi", 1, nil)
	w := g.hireOwn(0, nil)
	body := strings.Repeat("x", 100<<10)
	for _, request := range []string{get, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)} {
		c := g.dial()
		c.say(request)
		id, _, _, _, _ := w.take()
		check(t, c.Conn.(*net.TCPConn).SetLinger(0)) // a reset, and not the half-close of one that listens
		check(t, c.Close())
		told, env, _, _, ok := w.take()
		if !ok || told != id || env != nil {
			t.Fatalf("got %d, %v, %v; want to be told that the client of %d left", told, env, ok, id)
		}
		next := g.asks("/next")
		waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 })
		if !w.idle() {
			t.Error("the place of a request that was not answered yet was given away")
		}
		w.answer(id, "for nobody")
		id, _ = w.gets()
		w.answer(id, "next")
		next.isGiven(200, "next")
	}
}

// An application that becomes ASGI with a reload cannot answer what was written
// down for WSGI; its next requests it can.
func TestRequestsInTheFormerFormAreRefused(t *testing.T) {
	g := newRig(t, nil)
	waits := g.asks("/waits")
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 })
	check(t, g.master.Send(LaneOrder(2, "asgi", 100)))
	g.generation = 2
	if r, _ := waits.hear("GET"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q; want 503 with it", r.StatusCode, r.Header.Get("Retry-After"))
	}
	w := g.hireOwn(0, nil)
	waits.say("GET /again HTTP/1.1\r\nHost: x\r\n\r\n")
	id, env, _, _, _ := w.take()
	if env["type"] != "http" || env["path"] != "/again" {
		t.Errorf("got %v, want a scope", env)
	}
	w.answer(id, "as ASGI")
	waits.isGiven(200, "as ASGI")
}

// WSGI applications choose their locks by what the environ says of threads.
func TestTheEnvironTellsWhetherThereAreThreads(t *testing.T) {
	for seats, want := range map[int]bool{1: false, 4: true} {
		g := newOwnRig(t, "wsgi", seats, nil)
		w := g.hireOwn(0, nil)
		c := g.asks("/")
		id, env, _, _, _ := w.take()
		if env["wsgi.multithread"] != want {
			t.Errorf("%d seats: wsgi.multithread is %v", seats, env["wsgi.multithread"])
		}
		w.answer(id, "")
		c.isGiven(200, "")
	}
}

// When the master is gone nobody tells of deaths: the gateway must see for
// itself, or the clients of the dead would wait for its own end.
func TestDeathsAreNoticedWithoutAMaster(t *testing.T) {
	g := newOwnRig(t, "wsgi", 10, nil)
	cmd := exec.Command("sleep", "1000")
	check(t, cmd.Start())
	ours, theirs, err := dispatch.SocketPair()
	check(t, err)
	w := g.employAs(cmd.Process.Pid, &seat{lane: theirs, own: []int{ours, theirs}}, nil)
	c := g.asks("/")
	w.gets()
	check(t, g.master.Close())
	check(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed by us
	c.isGiven(502, "")
}

// Many workers, many requests: each is answered once, and the load is shared.
func TestWorkersWithLanesOfTheirOwnShareTheLoad(t *testing.T) {
	g := newOwnRig(t, "wsgi", 1000, nil)
	const workers, requests = 4, 400
	var count [workers]shared[int]
	for slot := range workers {
		g.hireOwn(slot, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
			count[slot].set(count[slot].get() + 1)
			s.answer(id, env["PATH_INFO"].(string))
		})
	}
	done := make(chan bool)
	for i := range 8 {
		go func() {
			defer func() { done <- true }()
			c := g.dial()
			for j := range requests / 8 {
				path := fmt.Sprint("/", i, "/", j)
				c.say("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
				c.isGiven(200, path)
			}
		}()
	}
	for range 8 {
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal("not everything was answered")
		}
	}
	for slot := range workers {
		if n := count[slot].get(); n < requests/workers/4 {
			t.Errorf("worker %d got %d of %d requests", slot, n, requests)
		}
	}
}
