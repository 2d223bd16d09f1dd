package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// dialer is for an http.Transport: every connection goes to the nth listener.
func (s *service) dialer(n int) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := s.listener(n)
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
}

// client is one connection on which the test writes every byte itself.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (s *service) client() *client {
	s.t.Helper()
	return speak(s.t, s.dial())
}

func speak(t testing.TB, conn net.Conn) *client {
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// send writes text as it is. The limit of the connection is counted from here.
func (c *client) send(text string) {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// answer is a response read to its end.
type answer struct {
	status int
	proto  string
	header http.Header
	body   string
	close  bool     // the connection ends after it
	coding []string // Transfer-Encoding
}

// head reads a response up to its body.
func (c *client) head(method string) *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read the response: %v", err)
	}
	return response
}

// receive reads the response to a request with this method.
func (c *client) receive(method string) answer {
	c.t.Helper()
	response := c.head(method)
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("read the body after %d bytes: %v", len(body), err)
	}
	return answer{
		status: response.StatusCode, proto: response.Proto, header: response.Header, body: string(body),
		close: response.Close, coding: response.TransferEncoding,
	}
}

// ask sends a request and fails the test unless it is answered with status and
// body.
func (c *client) ask(request, method string, status int, body string) answer {
	c.t.Helper()
	c.send(request)
	return c.wants(method, status, body)
}

func (c *client) wants(method string, status int, body string) answer {
	c.t.Helper()
	a := c.receive(method)
	if a.status != status || a.body != body {
		c.t.Errorf("got %d %q, want %d %q", a.status, brief(a.body), status, body)
	}
	return a
}

// closed fails the test unless the server ends the connection, with nothing
// more to read.
func (c *client) closed() {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if b, err := c.in.ReadByte(); err != io.EOF {
		c.t.Errorf("read after the end: got %q, %v, want EOF", b, err)
	}
}
