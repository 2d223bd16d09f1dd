package gateway

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

const upgradeFields = "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// newTalk starts a gateway in front of an ASGI application that has one
// conversation after the other.
func newTalk(t *testing.T, change func(*Config), app func(*talk)) *rig {
	t.Helper()
	g := startRig(t, func(c *Config) {
		c.WebSocket.Deflate = true
		if change != nil {
			change(c)
		}
	})
	g.shareAs(1, "asgi", 1)
	g.serve()
	g.hire(0, func(s *seat, id int64, scope map[string]any, _ []byte, fd int) {
		if fd < 0 {
			s.send(dispatch.Tuple{id, int64(200), fields(), []byte("plain")})
			return
		}
		channel, err := dispatch.NewChannel(fd, "gateway")
		check(t, err)
		defer channel.Close()
		app(&talk{t: t, seat: s, id: id, scope: scope, Channel: channel})
	})
	return g
}

// talk is the application's side of a conversation.
type talk struct {
	t     *testing.T
	seat  *seat
	id    int64
	scope map[string]any
	*dispatch.Channel
}

func (k *talk) say(items ...any) { check(k.t, k.Send(dispatch.Tuple(items))) }

// done is the last word of a worker about a conversation.
func (k *talk) done() { k.seat.send(dispatch.Tuple{k.id, nil, true, ""}) }

// next returns the next message, with the content of a file in its place. At the
// end of file it returns nil.
func (k *talk) next() dispatch.Tuple {
	m, fds, err := k.Receive()
	if err != nil {
		return nil
	}
	if m[0] != "disconnect" && m[1] == nil {
		var file dispatch.Tuple
		if file, fds, err = k.Receive(); err != nil || len(fds) != 1 || file[0] != "file" {
			k.t.Errorf("behind a message without content came %v with %d descriptors, %v", file, len(fds), err)
			return nil
		}
	}
	if len(fds) == 1 {
		file := os.NewFile(uintptr(fds[0]), "message")
		defer file.Close()
		content, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<40))
		check(k.t, err)
		if m[1] = content; m[0] == "text" {
			m[1] = string(content)
		}
	}
	return m
}

// echo accepts and sends back what it gets until the client leaves.
func echo(k *talk) {
	k.say("accept", nil, dispatch.List{})
	for m := k.next(); m != nil && m[0] != "disconnect"; m = k.next() {
		k.reply(m)
	}
	k.done()
}

// reply sends a message back, as a file if it is long.
func (k *talk) reply(m dispatch.Tuple) {
	content := fmt.Sprintf("%s", m[1])
	if len(content) <= inlineMessage {
		_ = k.Send(m) // the client may have left
		return
	}
	fd := memfd(k.t, content)
	_ = k.Send(dispatch.Tuple{m[0], nil}, fd) // the same
	_ = unix.Close(fd)
}

// upgrade asks for a conversation and checks that it is given.
func (g *rig) upgrade(more string) (*client, *http.Response) {
	g.t.Helper()
	c := g.dial()
	c.say("GET /chat?room=1 HTTP/1.1\r\n" + upgradeFields + more + "\r\n")
	r, err := http.ReadResponse(c.in, &http.Request{Method: "GET"})
	check(g.t, err)
	if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		body, _ := io.ReadAll(r.Body)
		g.t.Fatalf("the handshake got %v %s", r, body)
	}
	return c, r
}

// masked is a frame as a client sends it.
func masked(first byte, payload string) string {
	b := websocket.AppendHeader(nil, 0, false, false, int64(len(payload)))
	b[0], b[1] = first, b[1]|0x80
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	at := len(b)
	b = append(b, payload...)
	websocket.Unmask(b[at:], mask, 0)
	return string(b)
}

// hearFrame reads one frame of the server: its first byte and its payload.
func (c *client) hearFrame() (first byte, payload string) {
	c.t.Helper()
	first, payload, err := c.frame()
	check(c.t, err)
	return first, payload
}

func (c *client) frame() (first byte, payload string, err error) {
	var head [10]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return 0, "", err
	}
	length := int64(head[1])
	switch length {
	case 126:
		_, err = io.ReadFull(c.in, head[2:4])
		length = int64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(c.in, head[2:10])
		length = int64(binary.BigEndian.Uint64(head[2:]))
	}
	if err != nil {
		return 0, "", err
	}
	b := make([]byte, length)
	_, err = io.ReadFull(c.in, b)
	return head[0], string(b), err
}

// hearsFrame checks the next frame of the server.
func (c *client) hearsFrame(first byte, payload string) {
	c.t.Helper()
	gotFirst, got := c.hearFrame()
	if gotFirst != first || got != payload {
		c.t.Errorf("got frame %#x %.60q of %d bytes, want %#x %.60q of %d", gotFirst, got, len(got), first, payload, len(payload))
	}
}

// closesWith checks that the server says this and then ends the connection.
func (c *client) closesWith(code int, reason string) {
	c.t.Helper()
	c.hearsFrame(0x88, string(websocket.AppendClose(nil, code, reason)[2:]))
	c.closed()
}

func TestConversation(t *testing.T) {
	g := newTalk(t, nil, echo)
	c, _ := g.upgrade("")
	long := strings.Repeat("long ", 40_000)
	for _, m := range []struct {
		first byte
		data  string
	}{{0x81, "hello"}, {0x82, "\x00\xff"}, {0x81, ""}, {0x81, "Καλημέρα"}, {0x82, strings.Repeat("x", inlineMessage)}, {0x82, strings.Repeat("x", inlineMessage+1)}, {0x81, long}, {0x81, "after"}} {
		go c.say(masked(m.first, m.data))
		c.hearsFrame(m.first, m.data)
	}
	c.say(masked(0x01, "in ") + masked(0x89, "ping") + masked(0x00, "three ") + masked(0x80, "parts"))
	c.hearsFrame(0x8a, "ping")
	c.hearsFrame(0x81, "in three parts")
	c.say(masked(0x88, "\x0f\xa0bye"))
	c.closesWith(4000, "")
}

// The scope is that of a conversation, and an ordinary request to the same
// application stays one.
func TestHandshakeReachesTheApplication(t *testing.T) {
	scopes := make(chan map[string]any, 1)
	g := newTalk(t, nil, func(k *talk) {
		scopes <- k.scope
		k.say("accept", "v2", dispatch.List{dispatch.Tuple{[]byte("X-App"), []byte("yes")}, dispatch.Tuple{"Connection", "close"}})
		for m := k.next(); m != nil; m = k.next() {
		}
		k.done()
	})
	c, r := g.upgrade("Sec-WebSocket-Protocol: v1, v2\r\n")
	scope := <-scopes
	if scope["type"] != "websocket" || scope["scheme"] != "ws" || scope["path"] != "/chat" || fmt.Sprint(scope["subprotocols"]) != "[v1 v2]" {
		t.Errorf("scope %v", scope)
	}
	if r.Header.Get("Sec-WebSocket-Protocol") != "v2" || r.Header.Get("X-App") != "yes" || r.Header.Get("Connection") != "Upgrade" {
		t.Errorf("response %v", r.Header)
	}
	_ = c.Close()
	c = g.dial()
	c.say(get)
	if _, body := c.hear("GET"); body != "plain" {
		t.Errorf("an ordinary request got %q", body)
	}
}

func TestHandshakeRefusals(t *testing.T) {
	g := newTalk(t, nil, func(*talk) { t.Error("a broken handshake reached the application") })
	without := func(name string) string {
		var lines []string
		for line := range strings.SplitSeq(upgradeFields, "\r\n") {
			if !strings.HasPrefix(line, name) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\r\n")
	}
	for _, c := range []struct {
		name, head string
		want       int
	}{
		{"POST", "POST / HTTP/1.1\r\n" + upgradeFields, 400},
		{"body", "GET / HTTP/1.1\r\nContent-Length: 1\r\n" + upgradeFields, 400},
		{"no key", "GET / HTTP/1.1\r\n" + without("Sec-WebSocket-Key"), 400},
		{"two keys", "GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + upgradeFields, 400},
		{"short key", "GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhl\r\n" + without("Sec-WebSocket-Key"), 400},
		{"no version", "GET / HTTP/1.1\r\n" + without("Sec-WebSocket-Version"), 426},
		{"old version", "GET / HTTP/1.1\r\nSec-WebSocket-Version: 8\r\n" + without("Sec-WebSocket-Version"), 426},
	} {
		client := g.dial()
		client.say(c.head + "\r\n")
		r, body := client.hear("GET")
		if r.StatusCode != c.want || !r.Close {
			t.Errorf("%s: got %d %q, want %d and a close", c.name, r.StatusCode, body, c.want)
		}
		if c.want == 426 && r.Header.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("%s: the answer names no version: %v", c.name, r.Header)
		}
	}
	// Without the wish to upgrade, or in HTTP/1.0, it is an ordinary request.
	for _, head := range []string{"GET / HTTP/1.1\r\n" + without("Connection"), "GET / HTTP/1.0\r\n" + upgradeFields} {
		client := g.dial()
		client.say(head + "\r\n")
		if _, body := client.hear("GET"); body != "plain" {
			t.Errorf("%.20q got %q", head, body)
		}
	}
}

// The application may decline: with a close, with a response of its own, by
// dying, or by an answer that cannot be sent.
func TestDenials(t *testing.T) {
	for _, c := range []struct {
		name string
		app  func(*talk)
		want int
		body string
		fine bool // the log holds no error
	}{
		{"close", func(k *talk) { k.say("close", 1000, ""); k.done() }, 403, "", true},
		{"response", func(k *talk) {
			k.seat.send(dispatch.Tuple{k.id, int64(401), fields("X-Why", "no"), []byte("who are you?")})
		}, 401, "who are you?", true},
		{"streamed response", func(k *talk) {
			w := k.seat.stream(k.id, fields(), "first ")
			_, _ = io.WriteString(w, "second") // the client reads it
			k.seat.finish(k.id, w, true)
		}, 200, "first second", true},
		{"closed its end first", func(k *talk) {
			_ = k.Close()
			k.seat.send(dispatch.Tuple{k.id, int64(401), fields(), []byte("later")})
		}, 401, "later", true},
		{"death", func(k *talk) { k.seat.dies("crashed", k.id) }, 502, "", true},
		{"subprotocol not offered", func(k *talk) { k.say("accept", "v3", dispatch.List{}); k.done() }, 500, "", false},
		{"field that breaks the head", func(k *talk) {
			k.say("accept", nil, dispatch.List{dispatch.Tuple{"X", "a\r\nb"}})
			k.done()
		}, 500, "", false},
		{"field of the handshake", func(k *talk) {
			k.say("accept", nil, dispatch.List{dispatch.Tuple{"Sec-WebSocket-Accept", "a"}})
			k.done()
		}, 500, "", false},
		{"message before accept", func(k *talk) { k.say("text", "a"); k.done() }, 500, "", false},
	} {
		g := newTalk(t, nil, c.app)
		client := g.dial()
		client.say("GET / HTTP/1.1\r\n" + upgradeFields + "\r\n")
		r, body := client.hear("GET")
		if r.StatusCode != c.want || c.body != "" && body != c.body {
			t.Errorf("%s: got %d %q, want %d %q", c.name, r.StatusCode, body, c.want, c.body)
		}
		if said := g.log.String(); strings.Contains(said, "[ERROR]") == c.fine {
			t.Errorf("%s: the log says %q", c.name, said)
		}
		if !c.fine {
			g.log.reset()
		}
	}
}

// Whoever ends the conversation, both sides learn the code.
func TestEndings(t *testing.T) {
	ends := make(chan string, 1)
	await := func(k *talk) {
		for {
			m := k.next()
			if m == nil || m[0] == "disconnect" {
				ends <- fmt.Sprint(m)
				k.done()
				return
			}
		}
	}
	listen := func(k *talk) {
		k.say("accept", nil, dispatch.List{})
		await(k)
	}
	for _, c := range []struct {
		name   string
		app    func(*talk)
		client func(*client)
		want   string
	}{
		{"client with a code", listen, func(c *client) { c.say(masked(0x88, "\x03\xe9gone")); c.closesWith(1001, "") }, "[disconnect 1001 gone]"},
		{"client without", listen, func(c *client) { c.say(masked(0x88, "")); c.closesWith(websocket.CodeNone, "") }, "[disconnect 1005 ]"},
		{"client lost", listen, func(c *client) { _ = c.Close() }, "[disconnect 1006 ]"},
		{"client reset", listen, func(c *client) { _ = c.Conn.(*net.TCPConn).SetLinger(0); _ = c.Close() }, "[disconnect 1006 ]"},
		{"no mask", listen, func(c *client) { c.say("\x81\x01a"); c.closesWith(1002, "frame of a client without a mask") }, "[disconnect 1002 frame of a client without a mask]"},
		{"not UTF-8", listen, func(c *client) { c.say(masked(0x81, "\xff")); c.closesWith(1007, "text is not UTF-8") }, "[disconnect 1007 text is not UTF-8]"},
		{"too big", listen, func(c *client) {
			c.say(masked(0x02, strings.Repeat("x", 200_000)) + masked(0x80, strings.Repeat("x", 200_000)))
			c.closesWith(1009, "message too big")
		}, "[disconnect 1009 message too big]"},
		{"application", func(k *talk) {
			k.say("accept", nil, dispatch.List{})
			k.say("text", "last")
			k.say("close", 3001, "enough")
			await(k)
		}, func(c *client) {
			c.hearsFrame(0x81, "last")
			c.hearsFrame(0x88, "\x0b\xb9enough")
			c.say(masked(0x81, "late") + masked(0x88, "\x0b\xb9"))
			c.closed()
		}, "[disconnect 3001 ]"},
	} {
		g := newTalk(t, func(c *Config) { c.WebSocket.MaxSize = 300_000 }, c.app)
		client, _ := g.upgrade("")
		c.client(client)
		select {
		case got := <-ends:
			if got != c.want {
				t.Errorf("%s: the application heard %s, want %s", c.name, got, c.want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: the application heard nothing", c.name)
		}
	}
}

// A conversation over TLS is one like any other.
func TestConversationOverTLS(t *testing.T) {
	ca := newAuthority(t, "ca")
	file := ca.issue("example", 7, "example.org")
	g := newTalk(t, func(c *Config) {
		c.TLS = &TLS{Options: Certificates{Certificates: []string{file}, Protocols: []string{"http/1.1"}}}
	}, echo)
	c, _ := g.secure(ca, nil)
	c.say("GET /chat HTTP/1.1\r\n" + upgradeFields + "\r\n")
	if r, err := http.ReadResponse(c.in, &http.Request{Method: "GET"}); err != nil || r.StatusCode != 101 {
		t.Fatalf("the handshake got %v, %v", r, err)
	}
	for _, data := range []string{"hello", strings.Repeat("x", 3*inlineMessage)} {
		go c.say(masked(0x81, data))
		c.hearsFrame(0x81, data)
	}
	check(t, g.master.Send(DrainOrder(0)))
	c.hearsFrame(0x88, string(websocket.AppendClose(nil, 1012, "")[2:]))
}
