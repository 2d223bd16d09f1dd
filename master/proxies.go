package master

import (
	"github.com/indrik/indrik/gateway"
	"github.com/indrik/indrik/settings"
)

// proxies are the settings about servers in front.
func proxies(s *settings.Values) gateway.Proxies {
	p := gateway.Proxies{
		AllowIPs:         s.ForwardedAllowIPs(),
		Family:           s.Forwarded(),
		HeaderMap:        s.HeaderMap(),
		ForwarderHeaders: s.ForwarderHeaders(),
		Protocol:         s.ProxyProtocol(),
		ProtocolAllowIPs: s.ProxyAllowIPs(),
		Uwsgi:            s.Protocol() == "uwsgi",
		UwsgiAllowIPs:    s.UwsgiAllowIPs(),
	}
	for _, h := range s.SecureSchemeHeaders() {
		p.SchemeHeaders = append(p.SchemeHeaders, gateway.SchemeHeader(h))
	}
	return p
}
