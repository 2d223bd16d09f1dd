package gateway

import (
	"bytes"
	"unicode/utf8"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// scopeKind is what an ASGI application is asked to do.
type scopeKind uint8

const (
	httpScope      scopeKind = iota // answer a request
	webSocketScope                  // have a conversation, or decline it
)

// scope builds ASGI scopes (ASGI 3.0, HTTP and WebSocket 2.5), finished but for
// state, which only the worker knows. It holds the memory that needs, so that
// nothing is allocated for the next.
//
// Of a request the worker is sent the values only, as a tuple in the order of
// scopeValues: Python reads that and makes the dict of it in half of the time in
// which it reads a dict.
//
// Spec version 2.4 promises that send() raises an OSError once the client has
// left, and 2.5 a reason with websocket.disconnect; both are the worker's part.
type scope struct {
	path []byte
}

// append appends the scope of a request whose origin was traced. mount is the
// setting root_path; a trusted proxy's prefix comes before it.
func (s *scope) append(b []byte, kind scopeKind, c *conn, h *http1.Head, o *origin, mount string) []byte {
	if kind == httpScope {
		b = dispatch.AppendTuple(b, len(scopeValues))
	} else {
		b = append(dispatch.AppendDict(b), scopeConstants...)
	}
	b = dispatch.AppendLatin1(kind.key(b, "http_version"), o.protocol[len("HTTP/"):])
	if kind == httpScope {
		b = appendMethod(b, h.Method)
	}
	b = dispatch.AppendLatin1(kind.key(b, "scheme"), scopeScheme(kind, o.scheme))
	b = s.appendPath(b, kind, h, o, mount)
	b = dispatch.AppendBytes(kind.key(b, "query_string"), h.Query)
	b = appendAddress(kind.key(b, "client"), o.client, o.port)
	host := o.host
	if c.listener.unix {
		host = nil // o has it from the Host field; no address of ours was asked
	}
	b = appendAddress(kind.key(b, "server"), host, o.hostPort)
	b, trailers := appendScopeFields(kind.key(b, "headers"), h.Fields)
	if kind == httpScope {
		return dispatch.AppendInt(b, int64(scopeAbility(h, trailers)))
	}
	b = appendSubprotocols(kind.key(b, "subprotocols"), h.Fields)
	return dispatch.AppendDictEnd(append(b, scopeExtensions...))
}

// scopeValues are the keys of the values that a worker is sent of a request's
// scope; in place of the extensions it gets what the client can take.
var scopeValues = [...]string{
	"http_version", "method", "scheme", "root_path", "path", "raw_path", "query_string", "client", "server", "headers", "extensions",
}

// key appends a key, if values have theirs with them.
func (k scopeKind) key(b []byte, name string) []byte {
	if k == httpScope {
		return b
	}
	return dispatch.AppendKey(b, name)
}

// scopeConstants are the items that all scopes of WebSockets begin with,
// scopeExtensions the last one.
var (
	scopeConstants = func() []byte {
		b := dispatch.AppendKey(dispatch.AppendKey(nil, "type"), "websocket")
		b = dispatch.AppendDict(dispatch.AppendKey(b, "asgi"))
		b = appendPair(appendPair(b, "version", "3.0"), "spec_version", "2.5")
		return dispatch.AppendDictEnd(b)
	}()
	scopeExtensions = func() []byte {
		b := dispatch.AppendDict(dispatch.AppendKey(nil, "extensions"))
		b = dispatch.AppendDict(dispatch.AppendKey(b, "websocket.http.response"))
		return dispatch.AppendDictEnd(dispatch.AppendDictEnd(b))
	}()
)

// What the client of a request can take. The numbers are the protocol's.
const (
	ableToRead  = 0 // HTTP/1.0: the response and nothing before or after it
	ableToHint  = 1 // informational responses too
	ableToTrail = 2 // trailer fields too, because it said so (RFC 9110 section 10.1.4)
)

func scopeAbility(h *http1.Head, trailers bool) int {
	switch {
	case h.Minor == 0:
		return ableToRead
	case trailers:
		return ableToTrail
	}
	return ableToHint
}

// appendMethod appends a method; those that programs compare with, in the form
// that Python recognises by its address.
func appendMethod(b, method []byte) []byte {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return dispatch.AppendKey(b, string(method))
	}
	return dispatch.AppendLatin1(b, method)
}

func scopeScheme(kind scopeKind, scheme string) string {
	switch {
	case kind == httpScope:
		return scheme
	case scheme == "https":
		return "wss"
	}
	return "ws"
}

// appendPath appends root_path, path and raw_path. The path has the root path
// at its start whether or not the client's had it, so that an application can
// always take it off (ASGI, "WSGI compatibility").
func (s *scope) appendPath(b []byte, kind scopeKind, h *http1.Head, o *origin, mount string) []byte {
	s.path = append(s.path[:0], o.prefix...)
	if len(s.path) == 0 {
		s.path = append(s.path, mount...)
	}
	b = appendUTF8(kind.key(b, "root_path"), s.path)
	root := len(s.path)
	s.path = append(s.path, o.path...)
	b = appendUTF8(kind.key(b, "path"), s.path)
	b = kind.key(b, "raw_path")
	if o.carried || root == 0 {
		return dispatch.AppendBytes(b, h.Path)
	}
	s.path = append(s.path[:root], h.Path...)
	return dispatch.AppendBytes(b, s.path)
}

// appendUTF8 appends a str from bytes that should be UTF-8; what is not becomes
// U+FFFD, as Python's own unquote does it.
func appendUTF8(b, text []byte) []byte {
	if utf8.Valid(text) {
		return dispatch.AppendText(b, text)
	}
	return dispatch.AppendText(b, bytes.ToValidUTF8(text, []byte("\uFFFD")))
}

// appendAddress appends (host, port), or None if there is no host. A port that
// is not known is 0.
func appendAddress(b, host, port []byte) []byte {
	if len(host) == 0 {
		return dispatch.AppendNone(b)
	}
	number := 0
	for _, digit := range port {
		if digit < '0' || digit > '9' || number > 0xffff {
			number = 0
			break
		}
		number = number*10 + int(digit-'0')
	}
	return dispatch.AppendInt(dispatch.AppendLatin1(dispatch.AppendTuple(b, 2), host), int64(number))
}

// appendScopeFields appends the list of header fields, names in lower case, and
// reports whether the client takes trailers.
func appendScopeFields(b []byte, fields []http1.Field) (_ []byte, trailers bool) {
	count := 0
	for i := range fields {
		if inScope(fields[i].Name) {
			count++
		}
	}
	b = dispatch.AppendList(b, count)
	for i := range fields {
		name, value := fields[i].Name, fields[i].Value
		if !inScope(name) {
			continue
		}
		b = dispatch.AppendBytes(dispatch.AppendTuple(b, 2), name)
		lower := b[len(b)-len(name):]
		for j, c := range lower {
			if c-'A' < 26 {
				lower[j] = c | 0x20
			}
		}
		b = dispatch.AppendBytes(b, value)
		trailers = trailers || string(lower) == "te" && takesTrailers(value)
	}
	return b, trailers
}

// inScope reports whether a field is passed on; those with an underscore were
// judged before (see [namePolicy]). Proxy is not, because frameworks make CGI
// variables of fields, and of this one that is a setting.
func inScope(name []byte) bool {
	return len(name) != len("proxy") || !sameName(name, "proxy")
}

// takesTrailers reports whether the value of a TE field names trailers (RFC
// 9110 section 10.1.4).
func takesTrailers(value []byte) bool {
	for len(value) > 0 {
		var item []byte
		item, value, _ = bytes.Cut(value, []byte(","))
		if bytes.EqualFold(bytes.TrimSpace(item), []byte("trailers")) {
			return true
		}
	}
	return false
}

// appendSubprotocols appends the list of the subprotocols that the client
// offers, in its order (RFC 6455 section 11.3.4).
func appendSubprotocols(b []byte, fields []http1.Field) []byte {
	count := 0
	eachSubprotocol(fields, func([]byte) { count++ })
	b = dispatch.AppendList(b, count)
	eachSubprotocol(fields, func(name []byte) { b = dispatch.AppendLatin1(b, name) })
	return b
}

func eachSubprotocol(fields []http1.Field, found func(name []byte)) {
	for i := range fields {
		if !sameName(fields[i].Name, "sec-websocket-protocol") {
			continue
		}
		for item := range bytes.SplitSeq(fields[i].Value, []byte(",")) {
			if item = bytes.TrimSpace(item); len(item) > 0 {
				found(item)
			}
		}
	}
}
