package gateway

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// pair is a gateway and the one that takes over from it, on one listener.
type pair struct{ old, next *rig }

// newPair starts both; the next does not accept yet. Their workers answer with
// "old" and "next".
func newPair(t *testing.T, change, changeNext func(*Config)) pair {
	t.Helper()
	socket := listenTCP(t)
	t.Cleanup(func() { _ = socket.Close() }) // only sockets of clients are looked at after that
	p := pair{}
	p.old = startRigOn(t, Process{Stdout: os.Stdout}, socket, change)
	p.next = startRigOn(t, Process{Stdout: os.Stdout}, socket, func(c *Config) {
		c.Epoch = 2
		if changeNext != nil {
			changeNext(c)
		}
	})
	p.old.share(1)
	p.old.serve()
	p.next.share(2)
	return p
}

// handOver is what a master does at a take-over.
func (p pair) handOver(idle, talking time.Duration) {
	t := p.old.t
	t.Helper()
	p.next.serve()
	receives, passes, err := dispatch.SocketPair()
	check(t, err)
	defer closeFDs([]int{receives, passes})
	check(t, p.next.master.Send(ReceiveOrder(), receives))
	check(t, p.old.master.Send(HandOverOrder(idle, talking), passes))
}

// asks sends a request and wants this answer, on a connection that goes on.
func (c *client) asks(request, body string) {
	c.t.Helper()
	c.say(request)
	c.gets(body)
}

func (c *client) gets(body string) {
	c.t.Helper()
	if r, got := c.hear("GET"); r.StatusCode != 200 || got != body || r.Close {
		c.t.Errorf("got %d %q, close %v; want %q on a connection that goes on", r.StatusCode, got, r.Close, body)
	}
}

// Idle connections go to the next gateway, whatever has arrived of their next
// request, and whatever numbers of loops there are; the one before waits for none.
func TestIdleConnectionsMove(t *testing.T) {
	const n = 600
	p := newPair(t, func(c *Config) { c.Loops = 2 }, func(c *Config) { c.Loops = 3 })
	p.old.hire(0, text("old"))
	p.next.hire(0, text("next"))
	var clients []*client
	for range n {
		clients = append(clients, p.old.dial())
	}
	post := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	for i, c := range clients {
		if i%6 == 0 {
			continue // has asked nothing yet
		}
		c.asks(get, "old")
		switch i % 6 {
		case 1:
			c.say(get[:20])
		case 2:
			c.say(post + "he")
		}
	}
	waitFor(t, func() bool { return p.old.board.Loop(0).Connections()+p.old.board.Loop(1).Connections() == n })
	p.handOver(time.Minute, time.Minute)
	p.old.expect(FactDrained)
	for i, c := range clients {
		switch i % 6 {
		case 1:
			c.asks(get[20:], "next")
		case 2:
			c.asks("llo", "next")
		default:
			c.asks(get, "next")
		}
		c.asks(get, "next")
	}
	waitFor(t, func() bool {
		all := true
		for i := range 3 {
			all = all && p.next.board.Loop(i).Connections() == n/3 && p.next.board.Loop(i).Accepted() == 0
		}
		return all
	})
}

// A request that a worker has is answered by the gateway before, without a word of
// closing, on either path; what the client has sent behind it, the next one answers.
func TestRequestsInHandFinishAndMove(t *testing.T) {
	p := newPair(t, nil, nil)
	s := p.old.hire(0, nil)
	p.next.hire(0, text("next"))
	plain, chunked := p.old.dial(), p.old.dial()
	plain.say(get + get + get[:10])
	id1, _, _, _, _ := s.take()
	chunked.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get)
	id2, _, _, _, _ := s.take()
	slow := p.old.dial()
	slow.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
	waitFor(t, func() bool { return p.old.board.Loop(0).Connections() == 3 })
	p.handOver(time.Minute, time.Minute)
	other := p.old.dial() // the next gateway has it
	other.asks(get, "next")
	s.send(dispatch.Tuple{id1, "200 OK", fields(), []byte("old")})
	s.send(dispatch.Tuple{id2, "200 OK", fields(), []byte("old")})
	plain.gets("old")
	plain.gets("next")
	plain.asks(get[10:], "next")
	chunked.gets("old")
	chunked.gets("next")
	slow.say("0\r\n\r\n")
	id3, _, body, _, _ := s.take()
	if string(body) != "abc" {
		t.Errorf("the body is %q", body)
	}
	s.send(dispatch.Tuple{id3, "200 OK", fields(), []byte("old")})
	slow.gets("old")
	p.old.expect(FactDrained)
	slow.asks(get, "next")
}

// Requests that wait for a worker go to the next gateway's, each once, in their
// order; the access log has each of them once.
func TestQueuedRequestsMove(t *testing.T) {
	log := t.TempDir() + "/log"
	logged := func(c *Config) { c.AccessLog, c.AccessFormat, c.RequestID = log, "%(U)s", true }
	p := newPair(t, logged, logged)
	s := p.old.hire(0, nil)
	const n, taken = 300, 2 // as many as the lane of one worker holds
	var clients []*client
	for i := range n {
		c := p.old.dial()
		c.say(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\n\r\n", i))
		waitFor(t, func() bool { r := p.old.board.Loop(0); return int(r.Connections()) == i+1 || i%100 != 99 })
		clients = append(clients, c)
	}
	waitFor(t, func() bool { r := p.old.board.Loop(0); return r.Queued() == n-taken && r.Dispatched() == taken })
	p.handOver(time.Minute, time.Minute)
	waitFor(t, func() bool { return p.next.board.Loop(0).Queued() == n-taken })
	p.next.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("next " + env["PATH_INFO"].(string))})
	})
	for range taken {
		id, env, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("old " + env["PATH_INFO"].(string))})
	}
	by := map[string]int{}
	for i, c := range clients {
		r, body := c.hear("GET")
		who, path, _ := strings.Cut(body, " ")
		if by[who]++; path != fmt.Sprintf("/%d", i) || r.Close || r.Header.Get("X-Request-ID") == "" {
			t.Errorf("request %d: %q %v", i, body, r.Header)
		}
	}
	if by["old"] != taken || by["next"] != n-taken {
		t.Errorf("answered by %v", by)
	}
	p.old.expect(FactDrained)
	check(t, p.next.master.Send(DrainOrder(0)))
	p.next.expect(FactDrained) // the log is written
	lines := map[string]int{}
	content, err := os.ReadFile(log)
	check(t, err)
	for _, line := range strings.Fields(string(content)) {
		lines[line]++
	}
	for i := range n {
		if path := fmt.Sprintf("/%d", i); lines[path] != 1 {
			t.Errorf("the log has %s %d times", path, lines[path])
		}
	}
}

// Requests that the next gateway's workers would not understand stay, and their
// connections move when they are answered.
func TestQueuedRequestsOfAnotherFormStay(t *testing.T) {
	p := newPair(t, nil, nil)
	s := p.old.hire(0, nil)
	p.next.shareAs(3, "asgi", 1)
	p.next.hire(0, text("next"))
	var clients []*client
	for range 5 {
		c := p.old.dial()
		c.say(get)
		clients = append(clients, c)
	}
	waitFor(t, func() bool { return p.old.board.Loop(0).Queued() == 3 })
	p.handOver(time.Minute, time.Minute)
	go s.work(text("old"))
	for _, c := range clients {
		c.gets("old")
	}
	p.old.expect(FactDrained)
	for _, c := range clients {
		c.asks(get, "next")
	}
}

// What a connection's PROXY header said goes with it, and so does a part of one;
// whom the next gateway trusts is its own decision.
func TestAnnouncedConnectionsMove(t *testing.T) {
	proxied := func(c *Config) { c.Proxies = Proxies{Protocol: "auto", ProtocolAllowIPs: "127.0.0.1"} }
	p := newPair(t, proxied, proxied)
	who := func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Append(nil, env["REMOTE_ADDR"], env["REMOTE_PORT"], env["PROXY_ADDR"], env["PROXY_PORT"])})
	}
	p.old.hire(0, who)
	p.next.hire(0, who)
	const header, says = "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\n", "192.0.2.7 4097 198.51.100.1 443"
	used, silent, half, read := p.old.dial(), p.old.dial(), p.old.dial(), p.old.dial()
	used.asks(header+get, strings.ReplaceAll(says, " ", ""))
	half.say(header[:20])
	read.say(header)
	waitFor(t, func() bool { return p.old.board.Loop(0).Connections() == 4 })
	p.handOver(time.Minute, time.Minute)
	p.old.expect(FactDrained)
	for c, rest := range map[*client]string{used: "", silent: header, half: header[20:], read: ""} {
		c.asks(rest+get, strings.ReplaceAll(says, " ", ""))
	}
}

// Connections that the next gateway has no use for end as they do without one: with
// an answer that says so, or when their time is over.
func TestConnectionsOfAListenerThatIsGoneStay(t *testing.T) {
	p := newPair(t, nil, func(c *Config) { c.Proxies = Proxies{Protocol: "auto", ProtocolAllowIPs: "127.0.0.1"} })
	p.old.hire(0, text("old"))
	asks, silent := p.old.dial(), p.old.dial()
	asks.asks(get, "old")
	silent.asks(get, "old")
	p.handOver(time.Second, time.Second)
	waitFor(t, func() bool { return p.old.log.String() != "" || p.old.board.Loop(0).Connections() == 2 })
	asks.say(get)
	if r, body := asks.hear("GET"); body != "old" {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	silent.closed()
	p.old.expect(FactDrained)
}

// A conversation goes on beside the hand-over for its time, and then ends with 1012.
func TestConversationsOutliveTheHandover(t *testing.T) {
	g := newTalk(t, nil, echo)
	c, _ := g.upgrade("")
	receives, passes, err := dispatch.SocketPair()
	check(t, err)
	check(t, g.master.Send(HandOverOrder(time.Millisecond, 700*time.Millisecond), passes))
	closeFDs([]int{passes})
	for refused := false; !refused; { // the drain has begun
		conn, err := net.Dial("tcp", g.address)
		if refused = err != nil; !refused {
			_ = conn.Close() // it came too early
		}
	}
	c.say(masked(0x81, "still here"))
	c.hearsFrame(0x81, "still here")
	c.hearsFrame(0x88, "\x03\xf4")
	c.say(masked(0x88, "\x03\xf4"))
	c.closed()
	closeFDs([]int{receives})
}

// successor plays the next gateway, badly.
func (g *rig) successor(idle time.Duration) *dispatch.Channel {
	g.t.Helper()
	ours, theirs, err := dispatch.SocketPair()
	check(g.t, err)
	channel, err := dispatch.NewChannel(ours, "gateway")
	check(g.t, err)
	check(g.t, g.master.Send(HandOverOrder(idle, idle), theirs))
	check(g.t, unix.Close(theirs))
	return channel
}

// What a successor did not say it took is not lost when that dies, or is stuck:
// connections and requests go on where they were.
func TestASuccessorThatTakesNothing(t *testing.T) {
	for how, fails := range map[string]func(*dispatch.Channel){
		"dies at once": func(k *dispatch.Channel) { _ = k.Close() },
		"dies with connections": func(k *dispatch.Channel) {
			_, fds, err := k.Receive()
			if err == nil && len(fds) == 64 {
				err = k.Close()
			}
			if closeFDs(fds); err != nil || len(fds) != 64 {
				t.Errorf("%d connections, %v", len(fds), err)
			}
		},
		"is stuck": func(*dispatch.Channel) {},
		"takes none": func(k *dispatch.Channel) {
			go func() {
				for {
					_, fds, err := k.Receive()
					if err != nil {
						return
					}
					closeFDs(fds)
					answer := make(dispatch.Tuple, len(fds))
					for i := range answer {
						answer[i] = false
					}
					_ = k.Send(answer) // the gateway may have drained
				}
			}()
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			g := newRig(t, nil)
			const n = 100
			var clients []*client
			for range n {
				c := g.dial()
				clients = append(clients, c)
			}
			clients[0].say(get) // waits for a worker
			waitFor(t, func() bool { r := g.board.Loop(0); return r.Connections() == n && r.Queued() == 1 })
			k := g.successor(time.Minute)
			fails(k)
			g.hire(0, text("old"))
			for i, c := range clients {
				check(t, c.SetDeadline(time.Now().Add(20*time.Second)))
				if i > 0 {
					c.say(get)
				}
				if r, body := c.hear("GET"); body != "old" || r.StatusCode != 200 {
					t.Errorf("connection %d: %d %q", i, r.StatusCode, body)
				}
			}
			if how != "is stuck" {
				_ = k.Close() // as said above
			}
			for _, c := range clients { // those answered before the end was known may stay
				check(t, c.Close())
			}
			g.expect(FactDrained)
		})
	}
}
