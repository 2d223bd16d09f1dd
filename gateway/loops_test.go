package gateway

import (
	"fmt"
	"testing"

	"github.com/indrik/indrik/dispatch"
)

// Connections are spread evenly over the loops, and what a connection asks stays
// on its loop: the ids of all its requests name the same one, the reply comes on
// that loop's socket, and that loop counts it.
func TestRequestsStayOnTheirLoop(t *testing.T) {
	const loops, each, rounds = 4, 5, 20
	g := newRig(t, func(c *Config) { c.Loops = loops })
	for slot := range 3 {
		g.hire(slot, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
			s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Append(nil, uint64(id)>>loopShift)})
		})
	}
	var clients []*client
	for range loops * each {
		clients = append(clients, g.dial())
	}
	home := map[*client]string{}
	on := map[string]int{}
	for round := range rounds {
		for _, c := range clients {
			c.say(get)
		}
		for i, c := range clients {
			_, loop := c.hear("GET")
			switch {
			case round == 0:
				home[c] = loop
				on[loop]++
			case home[c] != loop:
				t.Fatalf("client %d: round %d was answered by loop %s, the first by %s", i, round, loop, home[c])
			}
		}
	}
	for i := range loops {
		if on[fmt.Sprint(i)] != each {
			t.Errorf("loop %d has %d connections, want %d of %v", i, on[fmt.Sprint(i)], each, on)
		}
		row := g.board.Loop(i)
		waitFor(t, func() bool { return row.Answered() == each*rounds && row.Connections() == each && row.Queued() == 0 })
	}
}

// The depth of the queue is on the scoreboard, whichever way it goes down again.
func TestTheScoreboardShowsTheQueue(t *testing.T) {
	g := newRig(t, nil)
	var clients []*client
	for range 5 {
		c := g.dial()
		c.say(get)
		clients = append(clients, c)
	}
	row := g.board.Loop(0)
	waitFor(t, func() bool { return row.Queued() == 5 && row.Dispatched() == 0 })
	_ = clients[0].Conn.(interface{ SetLinger(int) error }).SetLinger(0) // reset
	_ = clients[0].Close()
	s := g.hire(0, nil)
	waitFor(t, func() bool { return row.Dispatched() == 2 && row.Queued() == 2 }) // one to work on, one to go on with
	for _, c := range clients[1:] {
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("ok")})
		c.hear("GET")
	}
	waitFor(t, func() bool { return row.Dispatched() == 0 && row.Queued() == 0 && row.Answered() == 4 })
}
