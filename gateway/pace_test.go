package gateway

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestPaceOfABody(t *testing.T) {
	const patience = time.Minute
	for _, c := range []struct {
		pace pace
		rate int64
		want time.Duration
	}{
		{pace{}, 240, rateGrace},
		{pace{}, 0, patience},
		{pace{moved: 2400}, 240, rateGrace + 10*time.Second},
		{pace{moved: 2400, waited: 12 * time.Second}, 240, rateGrace - 2*time.Second},
		{pace{moved: 2400, waited: 20 * time.Second}, 240, 0},
		{pace{moved: 1 << 40, waited: time.Hour}, 240, patience},
	} {
		if got := c.pace.allowance(c.rate, patience); got != c.want {
			t.Errorf("%+v at %d: %v, want %v", c.pace, c.rate, got, c.want)
		}
	}
}

// A body that trickles gets 408 when its average is too low, although it moves
// all the time; one that is slow but fast enough arrives.
func TestTricklingBodies(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config) { c.MinBodyRate = 1000 })
	g.hire(0, text("arrived"))
	for _, c := range []struct {
		piece  string // one in a tenth of a second
		status int
	}{{"b", 408}, {strings.Repeat("b", 400), 200}} {
		client := g.dial()
		check(t, client.SetDeadline(time.Now().Add(30*time.Second)))
		const n = 70
		client.say(fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", n*len(c.piece)))
		client.hears("HTTP/1.1 100 Continue\r\n\r\n")
		go func() {
			for range n {
				time.Sleep(100 * time.Millisecond) // the pace of the client
				if _, err := io.WriteString(client, c.piece); err != nil {
					return
				}
			}
		}()
		if r, _ := client.hear("POST"); r.StatusCode != c.status {
			t.Errorf("in pieces of %d: %v", len(c.piece), r.Status)
		}
	}
}

// A client that takes its response too slowly is cut off, and one that is slow
// enough to block us for long, but moves, is not.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config) { c.MinBodyRate, c.Patience = 50_000, 2*time.Second })
	page := strings.Repeat("x", 60_000)
	g.hire(0, text(page))
	read := func(rate int) (n int, err error) {
		c := g.dial()
		check(t, c.Conn.(*net.TCPConn).SetReadBuffer(8<<10))
		check(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		go func() { _, _ = c.Write([]byte(strings.Repeat(get, 200))) }() // 12 MB
		began, buffer := time.Now(), make([]byte, rate/10)
		for time.Since(began) < 12*time.Second && err == nil {
			var some int
			some, err = io.ReadFull(c.Conn, buffer)
			n += some
			time.Sleep(100 * time.Millisecond) // the pace of the client
		}
		return n, err
	}
	type outcome struct {
		n   int
		err error
	}
	slow, steady := make(chan outcome, 1), make(chan outcome, 1)
	go func() { n, err := read(10_000); slow <- outcome{n, err} }()
	go func() { n, err := read(200_000); steady <- outcome{n, err} }()
	if o := <-slow; o.err == nil {
		t.Errorf("a client at a fifth of the least rate was served for 12 s, %d bytes", o.n)
	}
	if o := <-steady; o.err != nil {
		t.Errorf("a client at four times the least rate was cut off after %d bytes: %v", o.n, o.err)
	}
}
