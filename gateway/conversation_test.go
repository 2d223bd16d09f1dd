package gateway

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

// Long messages come compressed, short ones as they are; what the client sends
// compressed is inflated.
func TestCompressedConversation(t *testing.T) {
	g := newTalk(t, nil, echo)
	c, r := g.upgrade(deflateOffer)
	if got := r.Header.Get("Sec-WebSocket-Extensions"); got != websocket.DeflateAnswer {
		t.Fatalf("agreed to %q", got)
	}
	c.say(masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
	c.hearsFrame(0x81, "Hello")
	for _, text := range []string{strings.Repeat("compress me ", 100), strings.Repeat("compress me ", 100_000)} {
		go c.say(masked(0x81, text))
		first, payload := c.hearFrame()
		back, err := io.ReadAll(flate.NewReader(strings.NewReader(payload + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
		if first != 0xc1 || err != nil || string(back) != text {
			t.Errorf("%d bytes came back as frame %#x of %d, inflated %d, %v", len(text), first, len(payload), len(back), err)
		}
	}
	c.say(masked(0xc1, "\xff\xff\xff\xff"))
	c.closesWith(1007, "compressed data is damaged")
}

func TestCompressionIsASetting(t *testing.T) {
	g := newTalk(t, func(c *Config) { c.WebSocket.Deflate = false }, echo)
	c, r := g.upgrade(deflateOffer)
	if got := r.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("agreed to %q", got)
	}
	c.say(masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
	c.closesWith(1002, "compressed frame where none may be")
}

// An application that takes no messages stops the reading from its client, after
// what the sockets between them hold.
func TestSlowApplication(t *testing.T) {
	proceed := make(chan bool)
	g := newTalk(t, nil, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		<-proceed
		total := 0
		for m := k.next(); m != nil && m[0] != "disconnect"; m = k.next() {
			total += len(m[1].([]byte))
		}
		_ = k.Send(dispatch.Tuple{"text", "dropped"}) // the gateway has left
	})
	c, _ := g.upgrade("")
	message := masked(0x82, strings.Repeat("x", 60_000))
	written := 0
	for {
		check(t, c.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
		if _, err := io.WriteString(c, message); err != nil {
			break
		}
		if written += len(message); written > 64<<20 {
			t.Fatal("64 MB went to an application that takes nothing")
		}
	}
	close(proceed)
}

// A client that reads nothing makes its application wait, while its pings and
// those of others are nobody's trouble; when it reads, all comes in order.
func TestSlowClient(t *testing.T) {
	var sent atomic.Int64
	const count, size = 2000, 60_000
	g := newTalk(t, nil, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		for i := range count {
			k.say("bytes", bytes.Repeat([]byte{byte(i)}, size))
			sent.Store(int64(i))
		}
		k.say("close", 1000, "")
		k.done()
	})
	c, _ := g.upgrade("")
	check(t, c.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
	before := int64(-1)
	for now := sent.Load(); now != before || now == 0; now = sent.Load() {
		before = now
		time.Sleep(300 * time.Millisecond) // that nothing happens has no event
	}
	if before >= count-1 {
		t.Fatal("120 MB went to a client that reads nothing")
	}
	c.say(masked(0x89, "first") + masked(0x89, "still there?"))
	pongs := 0
	for i := 0; i < count; {
		first, payload := c.hearFrame()
		switch {
		case first == 0x8a:
			pongs++
		case first != 0x82 || len(payload) != size || payload[0] != byte(i):
			t.Fatalf("message %d: frame %#x of %d bytes", i, first, len(payload))
		default:
			i++
		}
	}
	if pongs == 0 {
		t.Error("the ping was not answered")
	}
	c.hearsFrame(0x88, "\x03\xe8")
}

// A client that answers pings stays; one that does not is lost.
func TestKeepAlive(t *testing.T) {
	over := make(chan string, 1)
	quick := func(c *Config) {
		c.WebSocket.PingInterval, c.WebSocket.PingTimeout = 30*time.Millisecond, 150*time.Millisecond
	}
	g := newTalk(t, quick, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		over <- fmt.Sprint(k.next())
		k.done()
	})
	c, _ := g.upgrade("")
	for range 20 {
		c.hearsFrame(0x89, "")
		c.say(masked(0x8a, ""))
	}
	select {
	case m := <-over:
		t.Fatalf("the conversation ended with %s although pings were answered", m)
	default:
	}
	for {
		first, payload := c.hearFrame()
		if first == 0x88 {
			if payload != "\x03\xf3keepalive ping timeout" {
				t.Errorf("closed with %q", payload)
			}
			break
		}
	}
	if got := <-over; got != "[disconnect 1006 ]" {
		t.Errorf("the application heard %s", got)
	}
}

// While the application takes no messages the client cannot be heard, so its
// silence proves nothing.
func TestASlowApplicationIsNoSilentClient(t *testing.T) {
	const busy = 500 * time.Millisecond
	quick := func(c *Config) {
		c.WebSocket.PingInterval, c.WebSocket.PingTimeout = 30*time.Millisecond, 100*time.Millisecond
	}
	g := newTalk(t, quick, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		time.Sleep(busy) // is what is being tested
		echoRest(k)
	})
	c, _ := g.upgrade("")
	go func() {
		for range 40 { // more than the sockets hold
			_, _ = io.WriteString(c, masked(0x82, strings.Repeat("x", 60_000)))
		}
	}()
	for i := 0; i < 40; {
		first, payload := c.hearFrame()
		switch first {
		case 0x82:
			i++
		case 0x89:
			go func() { _, _ = io.WriteString(c, masked(0x8a, payload)) }()
		default:
			t.Fatalf("after %d messages: frame %#x %q", i, first, payload)
		}
	}
}

func echoRest(k *talk) {
	for m := k.next(); m != nil && m[0] != "disconnect"; m = k.next() {
		k.reply(m)
	}
	k.done()
}

// A worker that ends without a word: the client is told, and the gateway is not
// disturbed.
func TestWorkerDiesInAConversation(t *testing.T) {
	g := newTalk(t, nil, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		k.say("text", "last words")
		_ = k.Close()
		k.seat.dies("killed", k.id)
	})
	c, _ := g.upgrade("")
	c.hearsFrame(0x81, "last words")
	c.hearsFrame(0x88, "\x03\xf3")
	c.say(masked(0x88, "\x03\xf3"))
	c.closed()
}

// A drain ends conversations with 1012 on both sides, and waits for nobody who
// does not answer.
func TestDrainEndsConversations(t *testing.T) {
	heard := make(chan string, 1)
	g := newTalk(t, nil, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		heard <- fmt.Sprint(k.next())
		k.done()
	})
	c, _ := g.upgrade("")
	c.say(masked(0x89, ""))
	c.hearsFrame(0x8a, "")
	check(t, g.master.Send(DrainOrder(0)))
	c.hearsFrame(0x88, "\x03\xf4")
	if got := <-heard; got != "[disconnect 1012 ]" {
		t.Errorf("the application heard %s", got)
	}
	c.say(masked(0x88, "\x03\xf4"))
	c.closed()
}

// The line of a conversation is written at its end, with the size of what the
// client got.
func TestAccessLogOfAConversation(t *testing.T) {
	path := t.TempDir() + "/log"
	g := newTalk(t, func(c *Config) { c.AccessLog = path }, echo)
	c, _ := g.upgrade("")
	c.say(masked(0x81, "hello"))
	c.hearsFrame(0x81, "hello")
	c.say(masked(0x88, ""))
	c.hearsFrame(0x88, "")
	c.closed()
	var text []byte
	var err error
	for range 500 {
		if text, err = os.ReadFile(path); err != nil || len(text) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond) // a file that grows has no event here
	}
	if err != nil || !strings.Contains(string(text), `"GET /chat?room=1 HTTP/1.1" 101 5 "-" "-"`) || strings.Count(string(text), "\n") != 1 {
		t.Errorf("the log says %q, %v", text, err)
	}
}

// What a conversation with nothing to say costs in descriptors: the client's
// socket twice, and our end of the application's.
func TestConversationsLeaveNothingBehind(t *testing.T) {
	g := newTalk(t, nil, echo)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		check(t, err)
		return len(entries)
	}
	once := func() {
		c, _ := g.upgrade(deflateOffer)
		c.say(masked(0x82, strings.Repeat("x", 2*inlineMessage)))
		_, _ = c.hearFrame()
		c.say(masked(0x88, ""))
		c.hearsFrame(0x88, "")
		c.closed()
		_ = c.Close()
	}
	once()
	before := count()
	for range 20 {
		once()
	}
	deadline := time.Now().Add(5 * time.Second)
	for count() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond) // the kernel has no event for a closed descriptor
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after twenty conversations", before, after)
	}
}
