package gateway

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/indrik/indrik/http1"
)

// Proxies is what a gateway is told about servers in front of it. The zero
// value believes nobody but peers on Unix sockets, and of those only
// SchemeHeaders.
type Proxies struct {
	// AllowIPs are the peers that may speak for a client: addresses and networks
	// with commas between them, or "*". Peers on Unix sockets always may.
	AllowIPs string `json:"allow_ips"`
	// SchemeHeaders are the fields by which they say that the client spoke TLS,
	// each with the value that means it.
	SchemeHeaders []SchemeHeader `json:"scheme_headers"`
	// Family names the fields by which they say who the client is and what it
	// asked for: "none" (or empty), "x-forwarded" or "forwarded" (RFC 7239).
	Family string `json:"family"`
	// HeaderMap is what becomes of fields with an underscore in their names:
	// "drop" (or empty), "refuse" or "dangerous".
	HeaderMap string `json:"header_map"`
	// ForwarderHeaders are names with underscores that trusted peers may use, in
	// upper case; "*" for all.
	ForwarderHeaders []string `json:"forwarder_headers"`
	// Protocol is the version of the PROXY protocol that every connection must
	// begin with: "v1", "v2", "auto" for either, "off" (or empty) for none.
	Protocol string `json:"protocol"`
	// ProtocolAllowIPs are the peers that may send it, as in AllowIPs. Others are
	// turned away.
	ProtocolAllowIPs string `json:"protocol_allow_ips"`
	// Uwsgi says that packets of the uwsgi protocol come in place of HTTP, on
	// listeners that do not speak TLS.
	Uwsgi bool `json:"uwsgi"`
	// UwsgiAllowIPs are the peers that may send them, as in AllowIPs; they are
	// believed in everything. Others are turned away.
	UwsgiAllowIPs string `json:"uwsgi_allow_ips"`
}

// SchemeHeader is a field and the value of it that means https.
type SchemeHeader struct{ Name, Value string }

// family is which fields are believed beside the scheme headers.
type family uint8

const (
	noFamily family = iota
	xForwarded
	rfc7239
)

// forwarding says whom to believe about the client of a request, and what. It
// is only read once it was made.
type forwarding struct {
	trusted    trust
	proxy      proxyMode
	announcers trust // who may send a PROXY header
	uwsgi      bool
	packers    trust // who may send uwsgi packets
	schemes    []SchemeHeader
	family     family
	names      namePolicy
}

// forwarding reads what is configured.
func (p Proxies) forwarding() (f forwarding, err error) {
	if f.trusted, err = parseTrust("forwarded_allow_ips", p.AllowIPs); err != nil {
		return f, err
	}
	if f.proxy, err = parseProxyMode(p.Protocol); err != nil {
		return f, err
	}
	if f.announcers, err = parseTrust("proxy_allow_ips", p.ProtocolAllowIPs); err != nil {
		return f, err
	}
	f.uwsgi = p.Uwsgi
	if f.packers, err = parseTrust("uwsgi_allow_ips", p.UwsgiAllowIPs); err != nil {
		return f, err
	}
	f.schemes = p.SchemeHeaders
	switch p.Family {
	case "", "none":
	case "x-forwarded":
		f.family = xForwarded
	case "forwarded":
		f.family = rfc7239
	default:
		return f, fmt.Errorf("family of forwarding fields: %q is not known", p.Family)
	}
	f.names, err = newNamePolicy(p.HeaderMap, p.ForwarderHeaders)
	return f, err
}

// These report proxies that cannot be believed. To go on with a guess would let
// their clients choose what the application is told.
var (
	errSchemes         = &http1.Error{Status: 400, Reason: "contradictory scheme headers"}
	errForwardedFor    = &http1.Error{Status: 400, Reason: "malformed X-Forwarded-For"}
	errForwardedProto  = &http1.Error{Status: 400, Reason: "malformed X-Forwarded-Proto"}
	errForwardedHost   = &http1.Error{Status: 400, Reason: "malformed X-Forwarded-Host"}
	errForwardedPort   = &http1.Error{Status: 400, Reason: "malformed X-Forwarded-Port"}
	errForwardedPrefix = &http1.Error{Status: 400, Reason: "malformed X-Forwarded-Prefix"}
	errForwarded       = &http1.Error{Status: 400, Reason: "malformed Forwarded"}
)

// errMount is Gunicorn's "configuration problem": a proxy named a mount point
// that the path is not below.
var errMount = errors.New("the path is not below SCRIPT_NAME")

// claims is what a trusted peer says of its client's request. Empty is not said.
type claims struct {
	client address
	told   bool   // client is what was said, perhaps that it stays unknown
	scheme string // "http" or "https"
	host   []byte // with its port, if it has one
	port   []byte
	prefix []byte
}

// believe takes over what a trusted peer says of its client.
func (o *origin) believe(h *http1.Head, f *forwarding) error {
	said := claims{}
	var err error
	switch f.family {
	case noFamily:
		said.scheme, err = f.schemeOf(h, "")
	case xForwarded:
		err = f.readXForwarded(h, &said)
	case rfc7239:
		err = o.readForwarded(h, f, &said)
	}
	if err != nil {
		return err
	}
	if said.scheme != "" {
		o.scheme = said.scheme
	}
	if said.told {
		o.client, o.port, o.direct = o.write(said.client)
	}
	if len(said.host) > 0 || len(said.port) > 0 {
		o.rename(h, said.host, said.port)
	}
	if err := o.mount(said.prefix); err != nil {
		return err
	}
	if script, ok := f.names.forwarded(h, scriptName); ok {
		o.must = true
		return o.mount(script)
	}
	return nil
}

var scriptName = []byte("SCRIPT_NAME")

// schemeOf is what the scheme headers but for the one named except say; "" if
// there are none.
func (f *forwarding) schemeOf(h *http1.Head, except string) (string, error) {
	scheme := ""
	for i := range h.Fields {
		name := h.Fields[i].Name
		for j := range f.schemes {
			known := f.schemes[j].Name
			if len(name) != len(known) || !sameName(name, known) || len(except) == len(known) && sameName(name, except) {
				continue
			}
			said := "http"
			if string(h.Fields[i].Value) == f.schemes[j].Value {
				said = "https"
			}
			if scheme != "" && scheme != said {
				return "", errSchemes
			}
			scheme = said
		}
	}
	return scheme, nil
}

// write puts an address into the origin's memory, as text.
func (o *origin) write(a address) (client, port []byte, direct bool) {
	if !a.addr.IsValid() {
		return nil, nil, false
	}
	begin := len(o.room)
	o.room = a.addr.AppendTo(o.room)
	return o.room[begin:len(o.room):len(o.room)], a.port, false
}

// rename gives the server another name or port: in the Host field too, because
// that is what applications make links from. A port that the scheme implies is
// not written there.
func (o *origin) rename(h *http1.Head, authority, port []byte) {
	if len(authority) == 0 {
		authority = h.Authority
	}
	name, written := splitAuthority(authority, o.scheme)
	o.bound = false
	if o.host, o.hostPort = name, written; len(port) > 0 {
		o.hostPort = port
		begin := len(o.room)
		o.room = append(o.room, name...)
		if !bytes.Equal(port, schemePort(o.scheme)) {
			o.room = append(append(o.room, ':'), port...)
		}
		authority = o.room[begin:len(o.room):len(o.room)]
	}
	setHost(h, authority)
}

// setHost makes authority what the request is for.
func setHost(h *http1.Head, authority []byte) {
	h.Authority, h.Host = authority, authority
	for i := range h.Fields {
		if sameName(h.Fields[i].Name, "host") {
			h.Fields[i].Value = authority
			return
		}
	}
	h.Fields = append(h.Fields, http1.Field{Name: hostName, Value: authority})
}

var hostName = []byte("Host")

// mount takes over where the application is mounted. A prefix that begins with
// two slashes would make an application's redirects lead to another host.
func (o *origin) mount(prefix []byte) error {
	prefix = bytes.TrimRight(prefix, "/")
	if len(prefix) == 0 {
		return nil
	}
	begin := len(o.room)
	var err error
	o.room, err = http1.AppendPercentDecoded(o.room, prefix)
	o.prefix = bytes.TrimRight(o.room[begin:len(o.room):len(o.room)], "/")
	if err != nil || !http1.ValidPath(prefix) || len(o.prefix) > 1 && o.prefix[1] == '/' {
		return errForwardedPrefix
	}
	return nil
}
