package gateway

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/websocket"
)

// message is what an application says in a conversation: ("text", str), ("bytes",
// bytes), the same with None and a descriptor beside it, or ("close", code, reason).
type message struct {
	verb   string
	op     websocket.Opcode
	data   []byte // aliases what was read; nil if it is in a file
	code   int
	reason string
}

// readMessage copies nothing: a message goes out to its client before the next is
// received. r is what it is read with. The errors say what is wrong with it.
func readMessage(r *dispatch.Reader, raw []byte) (m message, err error) {
	r.Reset(raw)
	n, err := r.Tuple()
	if err != nil {
		return m, err
	}
	verb, err := r.Str()
	if err != nil {
		return m, err
	}
	switch {
	case string(verb) == "close" && n == 3:
		m.verb = "close"
		err = m.readClose(r)
	case string(verb) == "text" && n == 2:
		m.verb, m.op = "text", websocket.Text
		err = m.readContent(r, (*dispatch.Reader).Str)
		if err == nil && !utf8.Valid(m.data) {
			err = errors.New("text with lone surrogates")
		}
	case string(verb) == "bytes" && n == 2:
		m.verb, m.op = "bytes", websocket.Binary
		err = m.readContent(r, (*dispatch.Reader).Bytes)
	default:
		err = fmt.Errorf("%.40q with %d items in a conversation", verb, n)
	}
	if err == nil {
		err = r.End()
	}
	return m, err
}

func (m *message) readContent(r *dispatch.Reader, read func(*dispatch.Reader) ([]byte, error)) error {
	kind, err := r.Kind()
	if err != nil {
		return err
	}
	if kind == dispatch.KindNone {
		return r.None()
	}
	if m.data, err = read(r); m.data == nil {
		m.data = []byte{} // there is one, and it is empty
	}
	return err
}

func (m *message) readClose(r *dispatch.Reader) error {
	code, err := r.Int()
	if err != nil {
		return err
	}
	reason, err := r.Str()
	if err != nil {
		return err
	}
	m.code, m.reason = int(code), string(reason)
	if !websocket.ValidCode(m.code) || len(reason) > websocket.MaxReason || !utf8.Valid(reason) {
		return fmt.Errorf("close with code %d, reason %.200q", code, reason)
	}
	return nil
}
