package gateway

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/indrik/indrik/http1"
)

// trust is the set of peers that may speak for a client: a reverse proxy's
// word about scheme and mount point is taken only from them.
type trust struct {
	all      bool
	networks []netip.Prefix
}

// parseTrust reads forwarded_allow_ips: addresses and networks with commas
// between them, or "*" for everybody. A network with host bits set is refused,
// because it is mostly a mistyped address.
func parseTrust(list string) (trust, error) {
	var t trust
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
			continue
		case text == "*":
			t.all = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if !strings.Contains(text, "/") {
			var addr netip.Addr
			addr, err = netip.ParseAddr(text)
			addr = addr.Unmap()
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		if err == nil && network != network.Masked() {
			err = fmt.Errorf("it has host bits set; write %v or a single address", network.Masked())
		}
		if err != nil {
			return trust{}, fmt.Errorf("forwarded_allow_ips: %q is no address or network: %w", text, err)
		}
		t.networks = append(t.networks, network)
	}
	return t, nil
}

// includes reports whether addr, which is not IPv4 inside IPv6, is trusted.
func (t trust) includes(addr netip.Addr) bool {
	if t.all {
		return true
	}
	for _, network := range t.networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
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

// forwardedScheme is what a trusted peer says of its client's scheme: http
// unless a field says otherwise.
func forwardedScheme(h *http1.Head) (string, error) {
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
	if scheme == "" {
		return "http", nil
	}
	return scheme, nil
}
