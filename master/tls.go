package master

import (
	"fmt"
	"slices"

	"github.com/indrik/indrik/activation"
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/settings"
)

// prepareTLS reads the certificates once, though it is the gateway that will
// use them: what is wrong with them is told by a start that fails, and not by a
// gateway that dies again and again.
func (m *master) prepareTLS(p *plan) (*gateway.TLS, error) {
	s := p.settings
	if len(s.CertFile()) == 0 && len(s.KeyFile()) == 0 {
		return nil, nil
	}
	for _, name := range s.PlainListeners() {
		if !slices.ContainsFunc(p.sockets, func(s activation.Socket) bool { return s.Name == name }) {
			return nil, fmt.Errorf("plain_listeners: there is no listener %q", name)
		}
	}
	return m.readTLS(p)
}

// readTLS reads certificates and keys, if there are any.
func (m *master) readTLS(p *plan) (*gateway.TLS, error) {
	s := p.settings
	if len(s.CertFile()) == 0 && len(s.KeyFile()) == 0 {
		return nil, nil
	}
	demand, err := gateway.ParseDemand(s.CertReqs())
	if err != nil {
		return nil, fmt.Errorf("cert_reqs %q: %w", s.CertReqs(), err)
	}
	return gateway.NewTLS(gateway.TLS{
		Options: gateway.Certificates{
			Certificates: s.CertFile(),
			Keys:         s.KeyFile(),
			ClientCAs:    s.CACerts(),
			Clients:      demand,
			Ciphers:      s.Ciphers(),
			Minimum:      s.TLSMinVersion(),
			Protocols:    protocols(s.HTTPProtocols()),
		}.Locate(m.env("CREDENTIALS_DIRECTORY"), p.dir),
		Handshakes: s.TLSHandshakes(),
		Plain:      s.PlainListeners(),
	})
}

// protocols are the names of ALPN (RFC 7301) for Gunicorn's.
func protocols(list []string) (names []string) {
	for _, p := range list {
		switch p {
		case "h1":
			names = append(names, "http/1.1")
		case "h2":
			names = append(names, "h2")
		}
	}
	return names
}

// http2 are the limits of HTTP/2.
func http2(s *settings.Values) gateway.HTTP2 {
	return gateway.HTTP2{
		Cleartext: s.HTTP2Cleartext(),
		Streams:   s.HTTP2MaxConcurrentStreams(),
		Window:    s.HTTP2InitialWindowSize(),
		Frame:     s.HTTP2MaxFrameSize(),
		Head:      s.HTTP2MaxHeaderListSize(),
	}
}
