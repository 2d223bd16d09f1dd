package gateway

import (
	"bytes"

	"github.com/indrik/indrik/http1"
)

// hop is one element of Forwarded (RFC 7239 section 4): what a proxy says of the
// request that it received.
type hop struct {
	node        []byte // "for"; empty if not said
	host, proto []byte
}

// readForwarded reads the Forwarded fields from the last hop to the first, as
// readXForwarded does.
func (o *origin) readForwarded(h *http1.Head, f *forwarding, said *claims) error {
	for i := len(h.Fields) - 1; i >= 0; i-- {
		if !sameName(h.Fields[i].Name, "forwarded") {
			continue
		}
		ok := false
		// A line is read from its beginning, because of the quotes. A client's
		// quote that is left open would swallow what a proxy added: malformed.
		if o.hops, o.room, ok = parseForwarded(o.hops[:0], o.room, h.Fields[i].Value); !ok {
			return errForwarded
		}
		for j := len(o.hops) - 1; j >= 0; j-- {
			found, err := o.hops[j].tell(f, said)
			if found || err != nil {
				return err
			}
		}
	}
	return nil
}

// tell takes over what one hop says. It reports whether that is the end of the
// way: who reported the hops before it is not trusted, or not known.
func (p *hop) tell(f *forwarding, said *claims) (found bool, err error) {
	*said = claims{told: true}
	if len(p.node) > 0 {
		ok := false
		if said.client, ok = parseNode(p.node); !ok {
			return false, errForwarded
		}
	}
	if len(p.proto) > 0 {
		if said.scheme = parseScheme(p.proto); said.scheme == "" {
			return false, errForwarded
		}
	}
	if said.host = p.host; len(p.host) > 0 && !http1.ValidAuthority(p.host) {
		return false, errForwarded
	}
	return !said.client.addr.IsValid() || !f.trusted.includes(said.client.addr), nil
}

// parseForwarded appends the elements of one field line to hops. Quoted values
// that have escapes are written out in room; both are returned as they have
// grown.
func parseForwarded(hops []hop, room, line []byte) (_ []hop, _ []byte, ok bool) {
	for len(line) > 0 {
		p := hop{}
		said := false
		for {
			var name, value []byte
			line = bytes.TrimLeft(line, " \t")
			if name, value, line, room, ok = forwardedPair(line, room); !ok {
				return hops, room, false
			}
			if said = said || len(name) > 0; !p.set(name, value) {
				return hops, room, false
			}
			line = bytes.TrimLeft(line, " \t")
			if len(line) == 0 || line[0] == ',' {
				break
			}
			if line[0] != ';' {
				return hops, room, false
			}
			line = line[1:]
		}
		if said {
			hops = append(hops, p)
		}
		if len(line) > 0 {
			line = line[1:] // the comma; empty elements are lawful in a list
		}
	}
	return hops, room, true
}

// set notes a parameter. None of the three may be given twice; others are of no
// interest.
func (p *hop) set(name, value []byte) bool {
	var to *[]byte
	switch {
	case bytes.EqualFold(name, []byte("for")):
		to = &p.node
	case bytes.EqualFold(name, []byte("host")):
		to = &p.host
	case bytes.EqualFold(name, []byte("proto")):
		to = &p.proto
	default:
		return true
	}
	if *to != nil || len(value) == 0 {
		return false
	}
	*to = value
	return true
}

// forwardedPair reads token "=" ( token / quoted-string ), or nothing at all
// (RFC 7239 section 4 lets pairs be missing between semicolons).
func forwardedPair(line, room []byte) (name, value, rest, _ []byte, ok bool) {
	if len(line) == 0 || line[0] == ';' || line[0] == ',' {
		return nil, nil, line, room, true
	}
	n := http1.TokenLen(line)
	if n == 0 || n == len(line) || line[n] != '=' {
		return nil, nil, nil, room, false
	}
	name, line = line[:n], line[n+1:]
	if len(line) == 0 || line[0] != '"' {
		// Bare addresses with a port, and IPv6 in brackets, would have to be
		// quoted; proxies that do not are common enough, and mean one thing.
		n = bytes.IndexAny(line, ";, \t\"")
		if n < 0 {
			n = len(line)
		}
		return name, line[:n], line[n:], room, n > 0
	}
	begin := len(room)
	for i := 1; i < len(line); i++ {
		switch c := line[i]; c {
		case '"':
			return name, room[begin:len(room):len(room)], line[i+1:], room, true
		case '\\':
			if i++; i == len(line) {
				return nil, nil, nil, room, false
			}
			room = append(room, line[i])
		default:
			room = append(room, c)
		}
	}
	return nil, nil, nil, room, false
}
