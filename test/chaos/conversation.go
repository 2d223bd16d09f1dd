package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Opcodes of RFC 6455 that a server sends here.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
)

// turns is how many messages a conversation has.
const turns = 20

// converse holds a conversation over a WebSocket, each message of which comes back.
func (c *client) converse(e *entry) {
	c.hangUp()
	if err := c.dial(); err != nil {
		e.outcome, e.detail = refused, err.Error()
		return
	}
	defer c.hangUp()
	e.opened = c.conn.opened
	_ = c.conn.SetDeadline(time.Now().Add(patience)) // sockets have deadlines
	_, err := fmt.Fprintf(c.conn, "GET /talk/0/%s HTTP/1.1\r\nHost: chaos\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", e.name)
	if err != nil {
		e.broken(err, cut)
		return
	}
	response, err := http.ReadResponse(c.conn.in, nil)
	if err != nil {
		e.broken(err, cut)
		return
	}
	if e.status = response.StatusCode; e.status != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(response.Body) // a part says enough
		e.outcome, e.detail = answeredOtherwise, brief(string(text))
		return
	}
	if text, ok := c.hear(e); !ok {
		return
	} else if _, err := strconv.Atoi(text); err != nil {
		e.outcome, e.detail = wrong, "first message: "+brief(text)
		return
	}
	for n := range turns {
		want := fmt.Sprintf("%s %d", e.name, n)
		if _, err := c.conn.Write(frame(opText, []byte(want))); err != nil {
			e.broken(err, cutShort)
			return
		}
		switch text, ok := c.hear(e); {
		case !ok:
			return
		case text != want:
			e.outcome, e.detail = wrong, "message: "+brief(text)
			return
		}
		time.Sleep(time.Duration(c.rng.IntN(40)) * time.Millisecond)
	}
	e.outcome = answered
	_, _ = c.conn.Write(frame(opClose, []byte{3, 232})) // 1000; the server's word after it is not waited for
}

// frame is a masked message of at most 125 bytes, with a mask of zeros.
func frame(op byte, payload []byte) []byte {
	return append([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// hear waits for a text. If something else comes it notes that as the end.
func (c *client) hear(e *entry) (string, bool) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(c.conn.in, head[:]); err != nil {
			e.broken(err, cutShort)
			return "", false
		}
		payload := make([]byte, head[1]&0x7f) // ours are short, and so are their echoes
		if _, err := io.ReadFull(c.conn.in, payload); err != nil {
			e.broken(err, cutShort)
			return "", false
		}
		switch head[0] & 0xf {
		case opText:
			return string(payload), true
		case opClose:
			e.outcome = closed
			if len(payload) >= 2 {
				e.status = int(binary.BigEndian.Uint16(payload))
			}
			return "", false
		case opPing:
			continue // it waits for no pong of ours as long as we talk
		default:
			e.outcome, e.detail = wrong, fmt.Sprintf("frame %x", head)
			return "", false
		}
	}
}
