package gateway

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

// Whatever a client sends, in whatever pieces: what a loop gives to the worker, and a
// Reader finds in what the loop has left, is what a Reader finds in all of it.
func FuzzSmallTalk(f *testing.F) {
	const limit = 1000
	b := newBench(f)
	l := b.loop
	l.gateway.config.WebSocket.MaxSize = limit
	l.enter(b.conn, lent)
	pool := &l.gateway.deflate
	for _, stream := range []string{
		masked(0x81, "text") + masked(0x82, "bytes") + masked(0x89, "ping") + masked(0x8a, "pong") + masked(0x81, ""),
		masked(0x81, "not \xff text") + masked(0x81, "late"),
		masked(0x01, "frag") + masked(0x89, "ping") + masked(0x80, "ment") + masked(0x81, "text"),
		strings.Repeat(masked(0x82, "more than a socket takes"), 50),
		masked(0x82, strings.Repeat("x", limit)) + masked(0x82, strings.Repeat("x", limit+1)),
		masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00") + masked(0xc1, "\xff\xff\xff\xff"),
		masked(0x81, "bye") + masked(0x88, "\x03\xe8") + masked(0x81, "after"),
		"\x81\x01a",
	} {
		for _, step := range []uint16{1, 7, 5000} {
			f.Add([]byte(stream), step)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, step uint16) {
		want := told(websocket.NewReader(bytes.NewReader(stream), limit, pool, ignore))
		ours, theirs, err := dispatch.SocketPair()
		need(t, err)
		defer unix.Close(theirs)
		defer unix.Close(ours)
		need(t, unix.SetNonblock(theirs, true))
		x := &exchange{loop: l, gateway: l.gateway, conn: b.conn}
		talk := &smallTalk{v: newConversation(x, nil, true), worker: ours, ended: make(chan struct{})}
		l.beginTalk(talk)
		var got strings.Builder
		rest := bytes.Clone(stream)
		for b.conn.talk != nil && (len(rest) > 0 || talk.full) {
			if talk.full {
				l.hearAgain(talk)
			} else {
				n := min(int(step)+1, len(rest))
				b.conn.pending = append(b.conn.pending, rest[:n]...)
				rest = rest[n:]
				l.hear(talk, b.conn.pending)
			}
			drain(t, theirs, b, &got)
		}
		if b.conn.talk != nil {
			l.handBack(talk)
		}
		left := io.MultiReader(bytes.NewReader(x.data), bytes.NewReader(rest))
		got.WriteString(told(websocket.NewReader(left, limit, pool, ignore)))
		if got.String() != want {
			t.Errorf("in steps of %d: got %s, want %s", int(step)+1, got.String(), want)
		}
	})
}

func ignore(websocket.Opcode, []byte) error { return nil }

// told is what a Reader says of its messages and its end.
func told(r *websocket.Reader) string {
	var all strings.Builder
	for {
		kind, err := r.Next()
		var data []byte
		if err == nil {
			data, err = io.ReadAll(r)
		}
		if err != nil {
			fmt.Fprintf(&all, "%v", err)
			return all.String()
		}
		fmt.Fprintf(&all, "%v %q; ", kind == websocket.Text, data)
	}
}

// drain takes what the worker was told, in the same words, and what the client was.
func drain(t *testing.T, theirs int, b *bench, all *strings.Builder) {
	for {
		n, err := readFD(theirs, b.received)
		if err != nil {
			break
		}
		m, err := dispatch.Unmarshal(b.received[:n])
		need(t, err)
		message := m.(dispatch.Tuple)
		fmt.Fprintf(all, "%v %q; ", message[0] == "text", message[1])
	}
	for {
		if _, err := readFD(b.client, b.received); err != nil {
			return
		}
	}
}
