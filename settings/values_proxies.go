package settings

import "slices"

// ForwardedAllowIPs are the proxies that may speak for their clients, as they
// were written: the gateway reads the list.
func (v *Values) ForwardedAllowIPs() string { return of[string](v, "forwarded_allow_ips") }

// SecureSchemeHeaders are the header fields by which proxies say that their
// client spoke TLS, each with the value that means it.
func (v *Values) SecureSchemeHeaders() []Pair {
	return slices.Clone(of[[]Pair](v, "secure_scheme_headers"))
}

// Forwarded names the fields that are believed beside those: "none",
// "x-forwarded" or "forwarded".
func (v *Values) Forwarded() string { return of[string](v, "forwarded") }

// ForwarderHeaders are names with underscores that trusted proxies may use.
func (v *Values) ForwarderHeaders() []string {
	return slices.Clone(of[[]string](v, "forwarder_headers"))
}

// HeaderMap says what becomes of other such names: "drop", "refuse" or
// "dangerous".
func (v *Values) HeaderMap() string { return of[string](v, "header_map") }

// ProxyProtocol is which PROXY header connections must begin with: "off", "v1",
// "v2" or "auto".
func (v *Values) ProxyProtocol() string { return of[string](v, "proxy_protocol") }

// ProxyAllowIPs are the proxies that may send one, as they were written.
func (v *Values) ProxyAllowIPs() string { return of[string](v, "proxy_allow_ips") }

// Protocol is what clients speak: "http" or "uwsgi".
func (v *Values) Protocol() string { return of[string](v, "protocol") }

// UwsgiAllowIPs are the peers that may send uwsgi packets, as they were written.
func (v *Values) UwsgiAllowIPs() string { return of[string](v, "uwsgi_allow_ips") }
