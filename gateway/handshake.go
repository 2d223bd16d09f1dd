package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
	"github.com/indrik/indrik/websocket"
)

var (
	errHandshake        = errors.New("not a WebSocket handshake")
	errWebSocketVersion = errors.New("not a version of WebSocket that is spoken here")
)

// versionFields go with the answer to a version that is not spoken (RFC 6455
// section 4.4, RFC 9110 section 15.5.22).
const versionFields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: " + websocket.Version + "\r\n"

// handshake is what a client asks for that begins a conversation.
type handshake struct {
	key       string
	protocols []string // in the client's order
	deflate   bool     // it offers permessage-deflate in a form that can be agreed to
}

// asksForWebSocket reports whether a request wants to become a conversation. The
// parser has seen Connection: upgrade, which HTTP/1.0 has not (RFC 9110 section
// 7.8).
func asksForWebSocket(h *http1.Head) bool {
	return h.Upgrade && listsToken(h, "upgrade", "websocket")
}

// listsToken reports whether any field of this name, as a list, has the token.
func listsToken(h *http1.Head, name, token string) bool {
	for i := range h.Fields {
		if !sameName(h.Fields[i].Name, []byte(name)) {
			continue
		}
		for item := range bytes.SplitSeq(h.Fields[i].Value, []byte{','}) {
			if strings.EqualFold(string(bytes.TrimSpace(item)), token) {
				return true
			}
		}
	}
	return false
}

// readHandshake checks a request that asksForWebSocket (RFC 6455 section 4.2.1).
// The error is errHandshake or errWebSocketVersion with what is wrong. Origin is
// not looked at: which pages may talk to an application, it must say itself.
func readHandshake(h *http1.Head) (handshake, error) {
	var s handshake
	var extensions []string
	keys, versions := 0, 0
	version := ""
	for i := range h.Fields {
		value := string(h.Fields[i].Value)
		switch strings.ToLower(string(h.Fields[i].Name)) {
		case "sec-websocket-key":
			s.key = value
			keys++
		case "sec-websocket-version":
			version = value
			versions++
		case "sec-websocket-extensions":
			extensions = append(extensions, value)
		}
	}
	eachSubprotocol(h.Fields, func(name []byte) { s.protocols = append(s.protocols, string(name)) })
	s.deflate = websocket.OffersDeflate(strings.Join(extensions, ","))
	switch {
	case string(h.Method) != "GET":
		return s, fmt.Errorf("%w: its method is %s", errHandshake, h.Method)
	case h.Chunked || h.ContentLength > 0:
		return s, fmt.Errorf("%w: it has a body", errHandshake)
	case versions != 1 || version != websocket.Version:
		return s, fmt.Errorf("%w: %q", errWebSocketVersion, version)
	case keys != 1 || !websocket.ValidKey(s.key):
		return s, fmt.Errorf("%w: its key is missing, double or not 16 bytes in base64", errHandshake)
	}
	return s, nil
}

// acceptance is the message with which the application takes the conversation.
type acceptance struct {
	protocol string // "" for none
	fields   []byte // lines of the response, checked
}

// readAcceptance reads ("accept", subprotocol, headers). The error wraps
// errBadReply.
func (s *handshake) readAcceptance(m dispatch.Tuple) (acceptance, error) {
	var a acceptance
	o := order{msg: m}
	if len(m) != 3 {
		return a, fmt.Errorf("%w: %d items in accept", errBadReply, len(m))
	}
	if m[1] != nil {
		a.protocol = item[string](&o, 1)
	}
	if o.bad {
		return a, fmt.Errorf("%w: a subprotocol that is no str", errBadReply)
	}
	offered := a.protocol == ""
	for _, name := range s.protocols {
		offered = offered || name == a.protocol
	}
	if !offered {
		return a, fmt.Errorf("%w: the subprotocol %q is not one of those offered: %q", errBadReply, a.protocol, s.protocols)
	}
	var err error
	a.fields, err = acceptanceFields(m[2])
	if err != nil {
		return a, fmt.Errorf("%w: header: %w", errBadReply, err)
	}
	return a, nil
}

// acceptanceFields renders the application's fields of a 101, with the checks of
// any reply. What the handshake itself says is not for it to say.
func acceptanceFields(headers any) ([]byte, error) {
	message, err := dispatch.Marshal(headers)
	if err != nil {
		return nil, err
	}
	var rd dispatch.Reader
	rd.Reset(message)
	n, err := rd.Sequence()
	var lines []byte
	facts := headFacts{length: -1}
	for ; n > 0 && err == nil; n-- {
		begin := len(lines)
		lines, err = appendReplyField(lines, &rd, &facts)
		if name, _, ok := bytes.Cut(lines[begin:], []byte{':'}); ok && bytes.HasPrefix(bytes.ToLower(name), []byte("sec-websocket-")) {
			return nil, fmt.Errorf("%s is the handshake's own", name)
		}
	}
	return lines, err
}

// appendSwitching appends the response that begins the conversation.
func (s *handshake) appendSwitching(b, date []byte, a acceptance, deflate bool) []byte {
	b = http1.AppendStatusLine(b, 1, "101 Switching Protocols")
	b = append(b, serverField...)
	b = append(b, date...)
	b = append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	b = http1.AppendField(b, "Sec-WebSocket-Accept", websocket.AcceptKey(s.key))
	if a.protocol != "" {
		b = http1.AppendField(b, "Sec-WebSocket-Protocol", a.protocol)
	}
	if deflate {
		b = http1.AppendField(b, "Sec-WebSocket-Extensions", websocket.DeflateAnswer)
	}
	return append(append(b, a.fields...), "\r\n"...)
}
