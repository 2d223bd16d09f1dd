package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The frames of RFC 9113 section 6 that these tests send or look for.
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameContinuation = 9

	endStream, endHeaders = 0x1, 0x4

	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// framer is a client that sends frames as nobody should.
type framer struct{ *client }

func (g *rig) frames() framer { return framer{g.dial()} }

// greet sends preface and settings.
func (f framer) greet() framer {
	f.say(preface)
	f.settings()
	return f
}

func appendFrame(b []byte, kind, flags byte, stream uint32, payload string) []byte {
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

func (f framer) send(kind, flags byte, stream uint32, payload string) error {
	_, err := f.Write(appendFrame(nil, kind, flags, stream, payload))
	return err
}

func (f framer) settings() { check(f.t, f.send(frameSettings, 0, 0, "")) }

// headerBlock is a header block of GET and a path (RFC 7541 appendix A).
func headerBlock(path string) string {
	return "\x82\x86\x04" + string(rune(len(path))) + path + "\x01\x01x"
}

func (f framer) headers(stream uint32, path string) {
	check(f.t, f.send(frameHeaders, endStream|endHeaders, stream, headerBlock(path)))
}

// frame reads the next one.
func (f framer) frame() (kind byte, stream uint32, payload []byte) {
	f.t.Helper()
	kind, stream, payload, err := f.next()
	check(f.t, err)
	return kind, stream, payload
}

func (f framer) next() (kind byte, stream uint32, payload []byte, err error) {
	head := make([]byte, 9)
	if _, err = io.ReadFull(f.in, head); err != nil {
		return 0, 0, nil, err
	}
	payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(f.in, payload)
	return head[3], binary.BigEndian.Uint32(head[5:]), payload, err
}

// thrownOut reads until the server ends the connection, and reports whether it
// did so within the limit.
func (f framer) thrownOut() bool {
	for {
		switch _, _, _, err := f.next(); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil:
			return true
		}
	}
}

// Streams that are reset as fast as they are opened (CVE-2023-44487) keep no
// more requests with the workers than streams may be open, and others are served
// meanwhile.
func TestRapidReset(t *testing.T) {
	const streams = 10
	g := newRig(t, func(c *Config) { c.HTTP2.Cleartext, c.HTTP2.Streams = true, streams })
	var held, most atomic.Int64
	release := make(chan bool)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		if env["PATH_INFO"] == "/flood" {
			most.Store(max(most.Load(), held.Add(1)))
			<-release
			held.Add(-1)
		}
		text("hello")(s, id, env, body, fd)
	})
	f := g.frames().greet()
	var flood []byte
	for stream := uint32(1); stream < 2*5000; stream += 2 {
		flood = appendFrame(flood, frameHeaders, endStream|endHeaders, stream, headerBlock("/flood"))
		flood = appendFrame(flood, frameReset, 0, stream, "\x00\x00\x00\x08")
	}
	go func() { _, _ = f.Write(flood) }() // it will not get far
	if !f.thrownOut() {
		t.Error("the connection was not ended")
	}
	if n := g.board.Loop(0).Queued() + g.board.Loop(0).Dispatched(); n > streams {
		t.Errorf("%d requests of the flood are queued or dispatched, more than %d", n, streams)
	}
	close(release)
	c := g.dial()
	c.say(get)
	if _, body := c.hear("GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
}

// A header block without end, and a flood of frames that ask for answers nobody
// reads, end the connection. SETTINGS are answered one at a time, so a flood of
// them grows nothing; others are served meanwhile.
func TestFloods(t *testing.T) {
	g := newRig(t, func(c *Config) { c.HTTP2.Cleartext, c.KeepAlive, c.Patience = true, time.Second, time.Second })
	g.hire(0, text("hello"))
	for name, frame := range map[string][]byte{
		"continuation":       appendFrame(nil, frameContinuation, 0, 1, strings.Repeat("\x00\x01a\x01b", 3000)),
		"empty continuation": appendFrame(nil, frameContinuation, 0, 1, ""),
		"ping":               appendFrame(nil, framePing, 0, 0, "12345678"),
	} {
		f := g.frames().greet()
		check(t, f.SetDeadline(time.Now().Add(time.Minute)))
		if name != "ping" {
			check(t, f.send(frameHeaders, endStream, 1, headerBlock("/")))
		}
		if err := f.flood(frame); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection goes on", name)
		}
	}
	f := g.frames().greet()
	flooded := make(chan error)
	go func() { flooded <- f.flood(appendFrame(nil, frameSettings, 0, 0, "")) }()
	for range 20 {
		c := g.dial()
		c.say(get)
		if _, body := c.hear("GET"); body != "hello" {
			t.Errorf("got %q", body)
		}
	}
	_ = f.Close()
	<-flooded
}

// flood sends a frame again and again until the connection takes no more, and
// reads nothing.
func (f framer) flood(frame []byte) error {
	_ = f.Conn.(*net.TCPConn).SetReadBuffer(4096) // so that answers stay with the server; a wish
	many := []byte(strings.Repeat(string(frame), 1+(64<<10)/len(frame)))
	for {
		if _, err := f.Write(many); err != nil {
			return err
		}
	}
}

// A head beyond the limit is refused without the application; the connection
// goes on.
func TestHugeHeadOverHTTP2(t *testing.T) {
	g := newRig(t, func(c *Config) { c.HTTP2.Cleartext = true })
	g.hire(0, text("hello"))
	f := g.frames().greet()
	check(t, f.send(frameHeaders, endStream, 1, headerBlock("/")))
	field := func(high byte) string { // of 127 + 128 * high bytes (RFC 7541 section 5.1)
		return "\x00\x01a\x7f\x80" + string(rune(high)) + strings.Repeat("b", 127+int(high)<<7)
	}
	for range 4 {
		check(t, f.send(frameContinuation, 0, 1, field(0x77)))
	}
	check(t, f.send(frameContinuation, endHeaders, 1, field(0x2f)))
	f.headers(3, "/")
	body := map[uint32]string{}
	for body[3] == "" {
		if kind, stream, payload := f.frame(); kind == frameData {
			body[stream] += string(payload)
		}
	}
	if !strings.Contains(body[1], "431") || body[3] != "hello" {
		t.Errorf("got %v", body)
	}
}

// A client that opens no window gets no answer and holds its stream for a
// while only.
func TestAClientThatOpensNoWindow(t *testing.T) {
	g := newRig(t, func(c *Config) { c.HTTP2.Cleartext, c.Patience = true, 500*time.Millisecond })
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		if env["PATH_INFO"] == "/whole" {
			text("hello")(s, id, env, nil, -1)
			return
		}
		w := s.stream(id, fields(), strings.Repeat("x", 10_000))
		s.finish(id, w, true)
	})
	f := g.frames()
	f.say(preface)
	check(t, f.send(frameSettings, 0, 0, "\x00\x04\x00\x00\x00\x00")) // SETTINGS_INITIAL_WINDOW_SIZE 0
	f.headers(1, "/whole")
	f.headers(3, "/stream")
	for reset := map[uint32]bool{}; len(reset) < 2; {
		if kind, stream, _ := f.frame(); kind == frameReset {
			reset[stream] = true
		}
	}
}
