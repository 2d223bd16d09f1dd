package gateway

import (
	"bytes"
	"errors"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway/uwsgi"
	"github.com/indrik/indrik/http1"
)

// errPacketPeer reports one who may not speak uwsgi to us: whoever may is
// believed in everything.
var errPacketPeer = errors.New("not in uwsgi_allow_ips")

// parse reads the head at the start of data, in the language of c's listener.
func (o *origin) parse(c *conn, h *http1.Head, data []byte, rules *http1.Limits) (complete bool, err error) {
	if !c.listener.uwsgi {
		return h.Parse(data, rules)
	}
	size, err := uwsgi.Size(data)
	if err != nil || size == 0 || len(data) < size {
		return false, err
	}
	err = o.packet.Parse(data[:size], rules, h)
	return err == nil, err
}

// unpack is trace for a request that came as a uwsgi packet. What that does not
// say stays as it is for any request.
func (o *origin) unpack() {
	p := &o.packet
	if len(p.RemoteAddr) > 0 {
		o.client, o.port, o.direct = p.RemoteAddr, p.RemotePort, false
	}
	if p.HTTPS || bytes.EqualFold(p.Scheme, []byte("https")) {
		o.scheme = "https"
	}
	if len(p.ServerName) > 0 {
		o.host, o.hostPort, o.bound = p.ServerName, p.ServerPort, false
		if len(o.hostPort) == 0 {
			o.hostPort = schemePort(o.scheme)
		}
	}
	o.protocol = protocolOf(p.Protocol)
	o.prefix, o.path = p.ScriptName, p.PathInfo // nil if it is not said
}

// protocolOf is SERVER_PROTOCOL in our words.
func protocolOf(protocol []byte) string {
	switch string(protocol) {
	case "HTTP/1.1":
		return "HTTP/1.1"
	case "HTTP/2.0", "HTTP/2":
		return "HTTP/2"
	case "HTTP/3.0", "HTTP/3":
		return "HTTP/3"
	}
	return "HTTP/1.0"
}

// appendExtra appends what the server in front was configured to add, but for
// what the environ has already.
func (o *origin) appendExtra(b []byte) []byte {
	for _, v := range o.packet.Extra {
		switch string(v.Name) {
		case "SERVER_SOFTWARE", "RAW_URI":
			continue
		}
		b = dispatch.AppendLatin1(dispatch.AppendLatin1(b, v.Name), v.Value)
	}
	return b
}
