package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

// patience is the longest that a client waits for an answer. What the faults of a
// round can cost together is less.
const patience = 45 * time.Second

// chunks is how many parts a streamed response has; chaos.py knows the same.
const chunks = 8

// conn is a client's connection.
type conn struct {
	net.Conn
	in     *bufio.Reader
	opened time.Time // before the connection was there
}

// client sends requests of one kind, one after the other.
type client struct {
	book    *book
	address string
	kind    string
	number  int
	sent    int
	rng     *rand.Rand
	conn    *conn // kept alive; nil if there is none
}

// run sends requests until the context ends, and then finishes the one in hand.
func (c *client) run(ctx context.Context) {
	defer c.hangUp()
	for ctx.Err() == nil {
		c.one()
		if c.kind != "keep" {
			pause(ctx, time.Duration(c.rng.IntN(50))*time.Millisecond)
		}
	}
}

// pause waits, but not beyond the end of the context.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close() // what it brought is in the book
		c.conn = nil
	}
}

// name of the next request.
func (c *client) name() string {
	c.sent++
	word, _, _ := strings.Cut(c.kind, "/")
	return fmt.Sprintf("%s-%d-%d", word, c.number, c.sent)
}

// one sends one request and enters it into the book.
func (c *client) one() {
	e := entry{kind: c.kind, name: c.name(), sent: time.Now()}
	if c.kind == "websocket" {
		c.converse(&e)
	} else {
		c.exchange(&e)
	}
	e.ended = time.Now()
	c.book.enter(e)
	if e.outcome != answered || c.kind != "keep" {
		c.hangUp()
	}
}

// dial makes a connection unless there is one.
func (c *client) dial() error {
	if c.conn != nil {
		return nil
	}
	opened := time.Now()
	raw, err := net.DialTimeout("tcp", c.address, patience)
	if err != nil {
		return err
	}
	c.conn = &conn{raw, bufio.NewReader(raw), opened}
	return nil
}

// exchange sends a request of HTTP and judges the response.
func (c *client) exchange(e *entry) {
	if err := c.dial(); err != nil {
		e.outcome, e.detail = refused, err.Error()
		return
	}
	e.opened = c.conn.opened
	_ = c.conn.SetDeadline(time.Now().Add(patience)) // sockets have deadlines
	method, path, body := c.request(e.name)
	if err := c.write(method, path, body); err != nil && !errors.Is(err, errLeft) {
		// The response may be there in spite of it: a refusal of the body.
		e.detail = err.Error()
	} else if err != nil {
		e.outcome = left
		return
	}
	response, err := http.ReadResponse(c.conn.in, nil)
	if err != nil {
		e.broken(err, cut)
		return
	}
	text, err := c.read(response.Body)
	e.status = response.StatusCode
	switch {
	case err != nil:
		e.broken(err, cutShort)
	case response.StatusCode != http.StatusOK:
		e.outcome, e.detail = answeredOtherwise, "request="+response.Header.Get("X-Request-ID")
	case text != c.expected(e.name, body):
		e.outcome, e.detail = wrong, fmt.Sprintf("%d bytes: %s", len(text), brief(text))
	default:
		e.outcome = answered
		if response.Close {
			c.hangUp()
		}
	}
}

// request is what is sent for this kind of client.
func (c *client) request(name string) (method, path string, body []byte) {
	switch c.kind {
	case "stream":
		return "GET", fmt.Sprintf("/stream/%.2f/%s", 0.02+0.1*c.rng.Float64(), name), nil
	case "upload":
		body = bytes.Repeat([]byte{byte(c.rng.IntN(256))}, 1<<20+c.rng.IntN(1<<20))
		return "POST", "/upload/0/" + name, body
	case "slow":
		return "GET", fmt.Sprintf("/large/%d/%s", largeBody, name), nil
	case "keep", "once", "leaver":
		return "GET", fmt.Sprintf("/work/%.3f/%s", 0.03*c.rng.Float64(), name), nil
	default: // a deed
		return "GET", "/" + c.kind + "/" + name, nil
	}
}

// largeBody is how much a slow client fetches.
const largeBody = 300_000

// expected is the right answer.
func (c *client) expected(name string, body []byte) string {
	switch c.kind {
	case "stream":
		var text strings.Builder
		for n := range chunks {
			fmt.Fprintf(&text, "%s %d\n", name, n)
		}
		return text.String()
	case "upload":
		return fmt.Sprintf("%s %x", name, sha256.Sum256(body))
	case "slow":
		return name + strings.Repeat("x", largeBody)
	}
	return name
}

// errLeft is the end of a client that leaves on purpose.
var errLeft = errors.New("left")

// write sends the request as this kind of client does.
func (c *client) write(method, path string, body []byte) error {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: chaos\r\n", method, path)
	if c.kind != "keep" {
		head += "Connection: close\r\n"
	}
	if body != nil {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	message := append([]byte(head+"\r\n"), body...)
	if c.kind == "slow" {
		for len(message) > 20 {
			if _, err := c.conn.Write(message[:20]); err != nil {
				return err
			}
			message = message[20:]
			time.Sleep(30 * time.Millisecond)
		}
	}
	_, err := c.conn.Write(message)
	if err == nil && c.kind == "leaver" {
		time.Sleep(time.Duration(c.rng.IntN(30)) * time.Millisecond)
		return errLeft
	}
	return err
}

// read takes the body as this kind of client does.
func (c *client) read(body io.Reader) (string, error) {
	if c.kind != "slow" {
		text, err := io.ReadAll(body)
		return string(text), err
	}
	var text bytes.Buffer
	for {
		_, err := io.CopyN(&text, body, 50_000)
		if errors.Is(err, io.EOF) {
			return text.String(), nil
		}
		if err != nil {
			return text.String(), err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// broken notes that the connection ended, or that nothing came.
func (e *entry) broken(err error, o outcome) {
	e.outcome, e.detail = o, err.Error()
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		e.outcome = unanswered
	}
}

// brief is the beginning of a text, for a message.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), 100)]
}
