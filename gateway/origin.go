package gateway

import (
	"bytes"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway/uwsgi"
	"github.com/indrik/indrik/http1"
)

// origin is where a request comes from and what it is for, as the application
// is told: the WSGI environ and the ASGI scope are both written from it. What
// proxies say has been weighed already (see [forwarding]).
//
// Its slices point into the connection, the listener, the head it was traced
// from, or its own memory, and are good until the next trace. One goroutine may
// use it at a time; the zero value is ready.
type origin struct {
	client []byte // address of the client as text; empty if it is on a Unix socket or hidden
	port   []byte // its port in decimal; empty if unknown
	direct bool   // client and port are the connection's own

	scheme   string // "http" or "https": what the client spoke
	protocol string // "HTTP/1.0", "HTTP/1.1" or "HTTP/2": what the client speaks

	host     []byte // name or address of the server; perhaps empty
	hostPort []byte // its port in decimal
	bound    bool   // host and hostPort are the listener's own

	prefix  []byte // where the application is mounted, decoded: SCRIPT_NAME, root_path; empty or /… without final /
	path    []byte // path of the target, decoded, without the prefix: PATH_INFO
	carried bool   // the target has the prefix before that path
	must    bool   // it has to

	packet uwsgi.Request // what a uwsgi packet says of all this
	id     []byte        // of the request; empty if it has none

	room []byte // memory for the decoded and the joined
	hops []hop  // of the Forwarded field that was read last

	lookup lookup // memory for the logs
}

// trace finds the origin of a request. The error is that of a request that no
// application should see.
func (o *origin) trace(c *conn, h *http1.Head, f *forwarding) error {
	o.room, o.prefix, o.path, o.carried, o.must = o.room[:0], nil, nil, false, false
	o.client, o.port, o.direct = c.client, c.port, true
	o.host, o.hostPort, o.bound = c.listener.host, c.listener.port, !c.listener.unix
	o.protocol = protocol(c, h)
	if o.scheme = c.listener.scheme; c.secure {
		o.scheme = "https"
	}
	switch {
	case c.listener.uwsgi:
		o.unpack()
	case c.trusted:
		if err := o.believe(h, f); err != nil {
			return err
		}
	}
	if len(o.host) == 0 && len(o.hostPort) == 0 {
		o.host, o.hostPort = splitAuthority(h.Authority, o.scheme)
	}
	return o.locate(h)
}

func protocol(c *conn, h *http1.Head) string {
	switch {
	case c.http2:
		return "HTTP/2"
	case h.Minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// locate decodes the path if nobody has, and takes the prefix off if the path
// carries it: some proxies pass on the whole path, others what is below their
// mount point.
func (o *origin) locate(h *http1.Head) error {
	if o.path == nil {
		begin := len(o.room)
		var err error
		if o.room, err = http1.AppendPercentDecoded(o.room, h.Path); err != nil {
			return err
		}
		o.path = o.room[begin:]
	}
	if !o.unmount(h) && o.must {
		return errMount
	}
	return nil
}

// unmount takes the prefix off the path, and reports false if there is one and
// the path does not begin with it.
func (o *origin) unmount(h *http1.Head) bool {
	if len(o.prefix) == 0 || h.Form == http1.AsteriskForm {
		return true
	}
	rest, ok := bytes.CutPrefix(o.path, o.prefix)
	if o.carried = ok && (len(rest) == 0 || rest[0] == '/'); o.carried {
		o.path = rest
	}
	return o.carried
}

// appendEnviron appends the variables of RFC 3875 that say whence and whereto.
func (o *origin) appendEnviron(b []byte, c *conn) []byte {
	switch {
	case o.direct:
		b = append(b, c.peer...)
	case len(o.port) == 0:
		b = appendPair(b, "REMOTE_ADDR", o.client)
	default:
		b = appendPair(appendPair(b, "REMOTE_ADDR", o.client), "REMOTE_PORT", o.port)
	}
	if o.bound {
		b = append(b, c.listener.server...)
	} else {
		b = appendPair(appendPair(b, "SERVER_NAME", o.host), "SERVER_PORT", o.hostPort)
	}
	b = appendPair(b, "SCRIPT_NAME", o.prefix)
	b = appendPair(b, "PATH_INFO", o.path)
	return appendPair(b, "wsgi.url_scheme", o.scheme)
}

// splitAuthority takes host and port apart; the port is that of the scheme if
// none is given.
func splitAuthority(authority []byte, scheme string) (host, port []byte) {
	host = authority
	if i := bytes.LastIndexByte(authority, ':'); i >= 0 && bytes.IndexByte(authority[i:], ']') < 0 {
		host, port = authority[:i], authority[i+1:]
	}
	if len(port) == 0 {
		port = schemePort(scheme)
	}
	return host, port
}

// schemePort is the port that goes without saying (RFC 9110 section 4.2).
func schemePort(scheme string) []byte {
	if scheme == "https" {
		return httpsPort
	}
	return httpPort
}

var httpPort, httpsPort = []byte("80"), []byte("443")

// serverItems are SERVER_NAME and SERVER_PORT of a listener, ready to append.
func serverItems(host, port []byte) []byte {
	return appendPair(appendPair([]byte(nil), "SERVER_NAME", host), "SERVER_PORT", port)
}

// peerItems are REMOTE_ADDR and REMOTE_PORT of a connection, ready to append.
func peerItems(client, port []byte) []byte {
	b := make([]byte, 0, 64)
	b = dispatch.AppendLatin1(dispatch.AppendKey(b, "REMOTE_ADDR"), client)
	if len(port) > 0 {
		b = dispatch.AppendLatin1(dispatch.AppendKey(b, "REMOTE_PORT"), port)
	}
	return b
}
