package logsink

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

const (
	// patience bounds a connection and a write to a daemon that does not take it.
	patience = 2 * time.Second
	// retryAfter is how long a daemon that could not be reached is left alone:
	// meanwhile entries are lost at once, or each would wait in vain.
	retryAfter = time.Second
)

// Remote is a daemon that takes entries on a socket.
type Remote struct {
	networks []string // that are tried in this order
	address  string
	tag      string // before each entry
	end      string // of an entry among others
	body     string // what of that end the daemon gets, unless it takes datagrams of lines

	conn    net.Conn
	stream  bool
	retryAt time.Time
	failure error // why there is no connection
	message []byte
}

// Write sends entries, each by itself. A connection that broke is made anew,
// once in a while.
func (r *Remote) Write(entries []byte) (lost int, err error) {
	for len(entries) > 0 {
		entry, rest, _ := bytes.Cut(entries, []byte(r.end))
		entries = rest
		if problem := r.send(entry); problem != nil {
			lost++
			err = problem
		}
	}
	return lost, err
}

func (r *Remote) send(entry []byte) error {
	fresh := r.conn == nil
	if err := r.connect(); err != nil {
		return err
	}
	r.message = append(append(r.message[:0], r.tag...), entry...)
	if r.stream || r.end != r.body {
		r.message = append(r.message, r.body...)
	}
	err := r.write()
	if err != nil && !fresh && !errors.Is(err, syscall.EMSGSIZE) {
		// A daemon that was restarted listens at the same address.
		r.drop(nil)
		if err = r.connect(); err == nil {
			err = r.write()
		}
	}
	if err != nil && !errors.Is(err, syscall.EMSGSIZE) {
		r.drop(err)
	}
	return err
}

func (r *Remote) write() error {
	_ = r.conn.SetWriteDeadline(time.Now().Add(patience)) // sockets have deadlines
	_, err := r.conn.Write(r.message)
	return err
}

// connect makes a connection if there is none.
func (r *Remote) connect() error {
	if r.conn != nil {
		return nil
	}
	if time.Now().Before(r.retryAt) {
		return r.failure
	}
	var failed error
	for _, network := range r.networks {
		conn, err := net.DialTimeout(network, r.address, patience)
		if err == nil {
			r.conn, r.stream = conn, network == "tcp" || network == "unix"
			return nil
		}
		failed = err
	}
	r.drop(fmt.Errorf("connect: %w", failed))
	return r.failure
}

// drop gives the connection up, and with a reason does without one for a while.
func (r *Remote) drop(why error) {
	if r.conn != nil {
		_ = r.conn.Close() // what was written is written
		r.conn = nil
	}
	if why != nil {
		r.failure, r.retryAt = why, time.Now().Add(retryAfter)
	}
}

// Reopen makes a new connection at the next entry.
func (r *Remote) Reopen() error {
	r.drop(nil)
	return nil
}

// Close closes the connection.
func (r *Remote) Close() error {
	r.drop(nil)
	return nil
}
