package gateway

import (
	"bytes"
	"net/netip"
	"unsafe"

	"github.com/indrik/indrik/http1"
)

// address is a node of the way from the client to us. Without addr it is one
// that wants to stay unknown.
type address struct {
	addr netip.Addr
	port []byte // decimal; empty if it was not told
}

// parseNode reads what stands for a node in X-Forwarded-For and Forwarded (RFC
// 7239 section 6): an IP address with or without a port, the latter in brackets
// if it is IPv6 and has one, "unknown", or a made-up name that begins with "_".
func parseNode(b []byte) (a address, ok bool) {
	switch {
	case len(b) == 0:
		return a, false
	case b[0] == '_' || bytes.EqualFold(b, unknownNode):
		return a, true
	case b[0] == '[':
		end := bytes.IndexByte(b, ']')
		if end < 0 || end+1 < len(b) && b[end+1] != ':' || bytes.IndexByte(b[:end], ':') < 0 {
			return a, false
		}
		host, rest := b[1:end], b[end+1:]
		if len(rest) > 0 {
			if a.port, ok = parsePort(rest[1:]); !ok {
				return a, false
			}
		}
		b = host
	case bytes.Count(b, colon) == 1:
		i := bytes.IndexByte(b, ':')
		if a.port, ok = parsePort(b[i+1:]); !ok {
			return a, false
		}
		b = b[:i]
	}
	// The text does not outlive the call: an error, which would hold it, is dropped.
	addr, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(b), len(b)))
	if err != nil || addr.Zone() != "" {
		return a, false
	}
	a.addr = addr.Unmap()
	return a, true
}

var unknownNode, colon = []byte("unknown"), []byte(":")

// parsePort accepts 1 to 65535, and takes a made-up port for one not told.
func parsePort(b []byte) (port []byte, ok bool) {
	if len(b) > 1 && b[0] == '_' {
		return nil, true
	}
	if len(b) == 0 || len(b) > 5 {
		return nil, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return nil, false
		}
		n = n*10 + int(c-'0')
	}
	return b, n >= 1 && n <= 65535
}

// backward goes through a list that fields of one name make together (RFC 9110
// section 5.3), from its end. Empty elements are skipped.
type backward struct {
	fields []http1.Field // those not looked at yet
	name   string
	line   []byte // what is left of the last of them that was
	open   bool
}

func (w *backward) next() (element []byte, ok bool) {
	for {
		if !w.open {
			n := len(w.fields) - 1
			if n < 0 {
				return nil, false
			}
			f := w.fields[n]
			w.fields = w.fields[:n]
			if !sameName(f.Name, w.name) {
				continue
			}
			w.line, w.open = f.Value, true
		}
		i := bytes.LastIndexByte(w.line, ',')
		element = bytes.Trim(w.line[i+1:], " \t")
		if w.open = i >= 0; w.open {
			w.line = w.line[:i]
		}
		if len(element) > 0 {
			return element, true
		}
	}
}

// at is the element that stands depth places before the last, or the first
// where the list is shorter; nil if there is none.
func at(h *http1.Head, name string, depth int) (element []byte) {
	w := backward{fields: h.Fields, name: name}
	for ; depth >= 0; depth-- {
		e, ok := w.next()
		if !ok {
			break
		}
		element = e
	}
	return element
}

// readXForwarded reads the X-Forwarded fields. Of X-Forwarded-For the last
// address is that of the peer's client, the one before it that of the client of
// that, and so on: each is believed as long as the one that reported it is
// trusted, so the client is the last that is not. Of the other fields the
// element that the same proxy wrote counts.
func (f *forwarding) readXForwarded(h *http1.Head, said *claims) error {
	depth := 0
	for w := (backward{fields: h.Fields, name: "x-forwarded-for"}); ; depth++ {
		element, ok := w.next()
		if !ok {
			break
		}
		if said.client, ok = parseNode(element); !ok {
			return errForwardedFor
		}
		said.told = true
		if !said.client.addr.IsValid() || !f.trusted.includes(said.client.addr) {
			depth++
			break
		}
	}
	depth = max(depth-1, 0)
	var err error
	if said.scheme, err = f.schemeOf(h, "x-forwarded-proto"); err != nil {
		return err
	}
	if proto := at(h, "x-forwarded-proto", depth); proto != nil {
		scheme := parseScheme(proto)
		switch {
		case scheme == "":
			return errForwardedProto
		case said.scheme != "" && said.scheme != scheme:
			return errSchemes
		}
		said.scheme = scheme
	}
	if said.host = at(h, "x-forwarded-host", depth); said.host != nil && !http1.ValidAuthority(said.host) {
		return errForwardedHost
	}
	if said.port = at(h, "x-forwarded-port", depth); said.port != nil {
		if _, ok := parsePort(said.port); !ok || said.port[0] == '_' {
			return errForwardedPort
		}
	}
	said.prefix = at(h, "x-forwarded-prefix", depth)
	return nil
}

// parseScheme knows the schemes of HTTP, and of WebSocket as a proxy may call
// the same connections. It returns "" for all others.
func parseScheme(b []byte) string {
	switch {
	case bytes.EqualFold(b, []byte("https")), bytes.EqualFold(b, []byte("wss")):
		return "https"
	case bytes.EqualFold(b, []byte("http")), bytes.EqualFold(b, []byte("ws")):
		return "http"
	}
	return ""
}
