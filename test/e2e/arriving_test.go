package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
)

// The application reads while the client sends, asks for the body by reading it,
// may leave it alone, and is not troubled by a client that cuts it.
func TestBodiesThatArrive(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "arriving", args: []string{"--request-buffering", "off", "-w", "2"}})
	data := bytes.Repeat([]byte("0123456789abcdef"), 300_000)
	want := fmt.Sprintf("%x", sha256.Sum256(data))
	c := s.client()
	c.send(fmt.Sprintf("POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(data), data))
	c.wants("POST", 200, want)
	c.send("POST /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	for rest := data; len(rest) > 0; rest = rest[min(70_000, len(rest)):] {
		piece := rest[:min(70_000, len(rest))]
		c.send(fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
	}
	c.send("0\r\n\r\n")
	c.wants("POST", 200, want)

	c.send("POST /line HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
	if got := c.next(len("HTTP/1.1 100 Continue\r\n\r\n")); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", got)
	}
	c.send("4\r\none\n\r\n")
	s.note("line") // the application has the first line before the second is sent
	c.send("4\r\ntwo\n\r\n0\r\n\r\n")
	c.wants("POST", 200, "one\ntwo\n")

	cut := s.client()
	cut.send("POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
	_ = cut.conn.Close()
	c.ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "unread")
	c.send("POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
	c.wants("POST", 200, "unread")
	c.closed()
	s.stop()
}

func TestEarlyHintsComeFirst(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "arriving"})
	c := s.client()
	for range 2 {
		c.send("GET /hints HTTP/1.1\r\nHost: x\r\n\r\n")
		const hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
		if got := c.next(len(hint)); got != hint {
			t.Fatalf("got %q", got)
		}
		c.wants("GET", 200, "hinted")
	}
	c.send("GET /hints HTTP/1.0\r\nHost: x\r\n\r\n")
	c.wants("GET", 200, "hinted")
	s.stop()
}

// next reads so many bytes of what the server says.
func (c *client) next(n int) string {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.in, b); err != nil {
		c.t.Fatalf("read %d bytes: %v", n, err)
	}
	return string(b)
}
