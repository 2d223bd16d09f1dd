package gateway

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

// Wherever the bytes of a client are cut, and whatever makes the loop hand the
// conversation to goroutines in the middle of them: every message comes back, once and
// in order.
func TestHandingBackLosesNothing(t *testing.T) {
	long := strings.Repeat("long ", 20_000)
	odd := map[string]struct{ said, echo string }{
		"nothing":   {},
		"fragments": {masked(0x01, "frag") + masked(0x89, "between") + masked(0x80, "ment"), "fragment"},
		"file":      {masked(0x81, long), long},
		"largest":   {masked(0x82, long[:inlineMessage]), long[:inlineMessage]},
		"cut":       {masked(0x01, "") + masked(0x80, "é"), "é"},
	}
	for name, o := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTalk(t, nil, echo)
			want, said := []string{}, ""
			for i := range 4 * calmAfter {
				if i%(2*calmAfter) == 20 && o.said != "" { // twice, and between them the loop has it again
					want, said = append(want, o.echo), said+o.said
				}
				text := fmt.Sprintf("message %d é %s", i, strings.Repeat("x", 7*i))
				want, said = append(want, text), said+masked(0x81, text)+masked(0x8a, "unasked")+masked(0x89, "ping")
			}
			for _, step := range []int{len(said), 1 << 12, 61} {
				c, _ := g.upgrade("")
				go func() {
					for rest := said; rest != ""; rest = rest[min(step, len(rest)):] {
						_, _ = io.WriteString(c, rest[:min(step, len(rest))])
					}
				}()
				pongs := 0
				for _, text := range want {
					first, payload := c.hearFrame()
					for ; first == 0x8a; first, payload = c.hearFrame() {
						pongs++
					}
					if payload != text {
						t.Fatalf("in steps of %d: got frame %#x %.40q, want %.40q", step, first, payload, text)
					}
				}
				if pongs == 0 {
					t.Errorf("in steps of %d: no ping was answered", step)
				}
				_ = c.Close()
			}
		})
	}
}

// A conversation is the loop's again after a message that was not for it.
func TestSmallTalkComesBack(t *testing.T) {
	g := newTalk(t, nil, echo)
	c, _ := g.upgrade("")
	for range 3 {
		for range calmAfter {
			c.say(masked(0x81, "small"))
			c.hearsFrame(0x81, "small")
		}
		listeners(t, 0)
		c.say(masked(0x01, "in ") + masked(0x80, "parts"))
		c.hearsFrame(0x81, "in parts")
		listeners(t, 1)
	}
	c.say(masked(0x88, "\x03\xe8"))
	c.closesWith(1000, "")
}

// listeners waits until so many goroutines read what clients say in conversations.
func listeners(t *testing.T, want int) {
	t.Helper()
	stacks := make([]byte, 4<<20)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // a goroutine has no event
		got := strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*conversation).listen(")
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines listen to a client, want %d", got, want)
		}
	}
}

// Without descriptors a conversation that is the loop's can be handed back, and one that
// cannot come to the loop goes on; it comes when there are some.
func TestSmallTalkWithoutADescriptor(t *testing.T) {
	g := newTalk(t, nil, echo)
	c, _ := g.upgrade("")
	echoes := func(n int) {
		for range n {
			c.say(masked(0x81, "small"))
			c.hearsFrame(0x81, "small")
		}
	}
	echoes(1)
	restore := exhaust(t)
	c.say(masked(0x01, "in ") + masked(0x80, "parts"))
	c.hearsFrame(0x81, "in parts")
	echoes(2*calmAfter + 1)
	listeners(t, 1)
	restore()
	echoes(2 * calmAfter)
	listeners(t, 0)
}

// Compressed messages of all sizes pass, through the loop and, from the first that is too
// long for it on, through goroutines.
func TestCompressedSmallTalk(t *testing.T) {
	g := newTalk(t, nil, echo)
	for _, sizes := range [][]int{
		{0, 1, 255, 256, 257, 5_000, loopPacked - 1, loopPacked, 300},
		{300, loopPacked + 1, 300, 2 * inlineMessage, 300},
	} {
		c, _ := g.upgrade(deflateOffer)
		said := ""
		for i, size := range sizes {
			said += masked(0xc1, deflated(t, someText(size, i))) + masked(0x89, "ping")
		}
		go func() { _, _ = io.WriteString(c, said) }()
		for i, size := range sizes {
			first, payload := c.hearFrame()
			for ; first == 0x8a; first, payload = c.hearFrame() {
			}
			if first == 0xc1 {
				back, err := io.ReadAll(flate.NewReader(strings.NewReader(payload + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
				check(t, err)
				payload = string(back)
			}
			if payload != someText(size, i) {
				t.Fatalf("%d bytes came back as frame %#x of %d, %.40q", size, first, len(payload), payload)
			}
			if size >= 5000 && first != 0xc1 {
				t.Errorf("%d bytes came back as they are", size)
			}
		}
		_ = c.Close()
	}
	for payload, reason := range map[string]string{"\xff\xff\xff\xff": "compressed data is damaged", deflated(t, "\xff"): "text is not UTF-8"} {
		c, _ := g.upgrade(deflateOffer)
		c.say(masked(0xc1, deflated(t, "first")))
		c.hearsFrame(0x81, "first") // the close may overtake what is on its way
		c.say(masked(0xc1, payload))
		c.closesWith(1007, reason)
	}
}

// someText is text of this length that can be compressed a little.
func someText(length, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < length; i++ {
		fmt.Fprintf(&b, "%d of message %d, ", i*i*7919%10007, n)
	}
	return b.String()[:length]
}

func deflated(t *testing.T, text string) string {
	var b bytes.Buffer
	check(t, new(websocket.Pool).Deflate(&b, strings.NewReader(text)))
	return b.String()
}

// What an application says to its client comes in order, too, when a file or its close
// stands between small messages, and also to a client that is slow to take it.
func TestWhatIsSaidComesInOrder(t *testing.T) {
	const count = 300
	g := newTalk(t, nil, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		for i := range count {
			text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 16*i))
			if i == count/2 {
				fd := memfd(k.t, strings.Repeat("file ", 30_000))
				check(k.t, k.Send(dispatch.Tuple{"text", nil}, fd))
				check(k.t, unix.Close(fd))
			}
			k.say("text", text)
		}
		k.say("close", 4000, "enough")
		for m := k.next(); m != nil && m[0] != "disconnect"; m = k.next() {
		}
		k.done()
	})
	c, _ := g.upgrade("")
	for i := range count {
		if i == count/2 {
			c.hearsFrame(0x81, strings.Repeat("file ", 30_000))
		}
		c.hearsFrame(0x81, fmt.Sprintf("%d %s", i, strings.Repeat("x", 16*i)))
	}
	c.hearsFrame(0x88, string(websocket.AppendClose(nil, 4000, "enough")[2:]))
	c.say(masked(0x88, "\x0f\xa0"))
	c.closed()
}

// A client that takes nothing for too long is given up while the loop carries the
// conversation; the others go on.
func TestAClientThatTakesNothing(t *testing.T) {
	heard := make(chan string, 1)
	patient := func(c *Config) { c.Patience = 300 * time.Millisecond }
	g := newTalk(t, patient, func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		go func() {
			for k.Send(dispatch.Tuple{"bytes", make([]byte, 60_000)}) == nil {
			}
		}()
		heard <- fmt.Sprint(k.next())
		k.done()
	})
	c, _ := g.upgrade("")
	select {
	case got := <-heard:
		if got != "[disconnect 1006 ]" {
			t.Errorf("the application heard %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the application was not told")
	}
	_ = c.Close()
}

// A client that says its last and leaves, both before the loop looks, is heard to its end.
func TestTheEndOfASmallTalkIsHeard(t *testing.T) {
	b := newBench(t)
	l := b.loop
	ours, theirs, err := dispatch.SocketPair()
	need(t, err)
	x := &exchange{loop: l, gateway: l.gateway, conn: b.conn}
	talk := &smallTalk{v: newConversation(x, nil, false), worker: ours, ended: make(chan struct{})}
	l.enter(b.conn, lent)
	l.beginTalk(talk)
	_, err = unix.Write(b.client, []byte(masked(0x81, "last words")))
	need(t, err)
	need(t, unix.Shutdown(b.client, unix.SHUT_WR))
	for rounds := 0; b.conn.talk != nil; rounds++ {
		if rounds == 5 {
			t.Fatal("the loop does not notice that its client has left")
		}
		for i := range l.wait() {
			l.handle(&l.events[i])
		}
	}
	<-talk.ended
	if n, err := readFD(theirs, b.received); err != nil || !strings.Contains(string(b.received[:n]), "last words") {
		t.Errorf("the worker got %q, %v", b.received[:max(n, 0)], err)
	}
}

// Garbage for each message would be paid for by all clients of the loop.
func TestSmallTalkAllocatesNothing(t *testing.T) {
	b := newBench(t)
	l := b.loop
	ours, theirs, err := dispatch.SocketPair()
	need(t, err)
	x := &exchange{loop: l, gateway: l.gateway, conn: b.conn}
	v := newConversation(x, nil, false)
	l.enter(b.conn, lent)
	l.beginTalk(&smallTalk{v: v, worker: ours, ended: make(chan struct{})})
	frame := []byte(masked(0x81, "a message of sixty-four bytes, as the benchmark of echoes has them"))
	turn := func() {
		_, err := unix.Write(b.client, frame)
		need(t, err)
		l.talkReady(b.conn.talk, unix.EPOLLIN)
		n, err := readFD(theirs, b.received)
		need(t, err)
		_, err = writeFD(theirs, b.received[:n])
		need(t, err)
		l.workerReady(b.conn.talk, unix.EPOLLIN)
		n, err = readFD(b.client, b.received)
		if err != nil || n != len(frame)-4 {
			t.Fatalf("the echo has %d bytes, %v", n, err)
		}
	}
	turn()
	if n := testing.AllocsPerRun(500, turn); n > 0 {
		t.Errorf("%v allocations for a message and its echo; want none", n)
	}
}
