package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// errStale is a kept-alive connection that was closed before the first byte of
// the response.
var errStale = errors.New("kept-alive connection was closed")

// client makes requests one after another, over one connection as long as the
// server keeps it. One goroutine uses it.
type client struct {
	plan    *plan
	conn    net.Conn // nil: the next request opens one
	in      *bufio.Reader
	used    bool // conn has answered before
	retried int
}

// get makes one request for the target and reads its response whole.
func (c *client) get(target string) error {
	err := c.try(target)
	if errors.Is(err, errStale) {
		c.retried++
		err = c.try(target)
	}
	return err
}

func (c *client) try(target string) error {
	if c.conn == nil {
		conn, err := net.DialTimeout(c.plan.network, c.plan.address, c.plan.timeout)
		if err != nil {
			return err
		}
		c.conn, c.used = conn, false
		if c.in == nil {
			c.in = bufio.NewReaderSize(conn, 4<<10)
		} else {
			c.in.Reset(conn)
		}
	}
	err := c.exchange(target)
	if err != nil {
		c.close()
	}
	return err
}

func (c *client) exchange(target string) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.plan.timeout)); err != nil {
		return err
	}
	_, err := io.WriteString(c.conn, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err == nil {
		_, err = c.in.Peek(1)
	}
	if err != nil {
		var timeout net.Error
		if c.used && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return errStale
		}
		return err
	}
	c.used = true
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if err == nil && response.StatusCode > 399 {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	if response.Close {
		c.close()
	}
	return err
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is lost that was not read
		c.conn = nil
	}
}
