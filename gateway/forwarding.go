package gateway

import "github.com/indrik/indrik/http1"

// forwarding says whom to believe about the client of a request, and what. It
// is only read once it was made.
type forwarding struct {
	trusted trust
}

// forwarding reads what is configured.
func (c Config) forwarding() (f forwarding, err error) {
	f.trusted, err = parseTrust(c.ForwardedAllowIPs)
	return f, err
}

// schemeFields are the fields by which proxies say that their client spoke TLS,
// with the value that means it (Gunicorn's default of secure_scheme_headers).
var schemeFields = [...]struct{ name, secure string }{
	{"x-forwarded-proto", "https"},
	{"x-forwarded-protocol", "ssl"},
	{"x-forwarded-ssl", "on"},
}

// errSchemes reports proxies that contradict each other; believing one of them
// would let the other's client choose.
var errSchemes = &http1.Error{Status: 400, Reason: "contradictory scheme headers"}

// scheme is what a trusted peer says of its client's scheme; "" if nothing.
func (f *forwarding) scheme(h *http1.Head) (string, error) {
	scheme := ""
	for i := range h.Fields {
		name := h.Fields[i].Name
		if name[0]|0x20 != 'x' {
			continue
		}
		for _, f := range &schemeFields {
			if len(name) != len(f.name) || !sameName(name, []byte(f.name)) {
				continue
			}
			said := "http"
			if string(h.Fields[i].Value) == f.secure {
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
