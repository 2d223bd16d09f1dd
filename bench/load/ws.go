package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// echoes is the result of loadWebSocket.
type echoes struct {
	Seconds float64        `json:"seconds"`
	Fast    summary        `json:"fast"`   // from a message to its echo
	Errors  map[string]int `json:"errors"` // connections that failed, by what was wrong
}

// loadWebSocket has on every connection one message on its way at a time, to be
// returned by the server as it is.
func loadWebSocket(p plan) (*echoes, error) {
	type one struct {
		took []time.Duration
		err  error
	}
	each := make([]one, p.connections)
	began := time.Now()
	var wg sync.WaitGroup
	for n := range each {
		wg.Go(func() { each[n].took, each[n].err = converse(p, began.Add(p.length)) })
	}
	wg.Wait()
	all := &echoes{Seconds: time.Since(began).Seconds(), Errors: map[string]int{}}
	var took []time.Duration
	for _, e := range each {
		took = append(took, e.took...)
		if e.err != nil {
			all.Errors[e.err.Error()]++
		}
	}
	all.Fast = summarize(took)
	return all, nil
}

// converse sends and receives until the instant end, and returns how long each
// echo took.
func converse(p plan, end time.Time) (took []time.Duration, err error) {
	conn, err := net.DialTimeout(p.network, p.address, p.timeout)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // the server may see it as an abnormal end, which it is
	if err = conn.SetDeadline(end.Add(p.timeout)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	if err = shake(conn, in, p.path); err != nil {
		return nil, err
	}
	message := bytes.Repeat([]byte("x"), p.size)
	frame, room := textFrame(message), make([]byte, 2+p.size)
	for {
		from := time.Now()
		if !from.Before(end) {
			return took, nil
		}
		if _, err = conn.Write(frame); err != nil {
			return took, err
		}
		if _, err = io.ReadFull(in, room); err != nil {
			return took, err
		}
		if room[0] != 0x81 || int(room[1]) != p.size || !bytes.Equal(room[2:], message) {
			return took, fmt.Errorf("not the message that was sent: % x", room[:2])
		}
		took = append(took, time.Since(from))
	}
}

// shake opens a WebSocket without extensions (RFC 6455, section 4.1). The key is
// that document's example: nothing here depends on its being random.
func shake(conn io.Writer, in *bufio.Reader, path string) error {
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if accept := response.Header.Get("Sec-WebSocket-Accept"); response.StatusCode != http.StatusSwitchingProtocols || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return fmt.Errorf("no WebSocket: status %d", response.StatusCode)
	}
	return nil
}

// textFrame is one message of at most 125 bytes as a client sends it, masked
// (RFC 6455, section 5.2).
func textFrame(message []byte) []byte {
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	frame := append([]byte{0x81, 0x80 | byte(len(message))}, mask[:]...)
	for i, b := range message {
		frame = append(frame, b^mask[i%4])
	}
	return frame
}
