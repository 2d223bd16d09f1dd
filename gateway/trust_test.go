package gateway

import (
	"net/netip"
	"testing"

	"github.com/indrik/indrik/dispatch"
)

func TestTrustReadsAddressesAndNetworks(t *testing.T) {
	for _, c := range []struct {
		list, addr string
		want       bool
	}{
		{"127.0.0.1,::1", "127.0.0.1", true}, {"127.0.0.1,::1", "::1", true}, {"127.0.0.1, ::1", "10.0.0.1", false},
		{"10.0.0.0/8", "10.9.8.7", true}, {"10.0.0.0/8", "11.0.0.1", false}, {"fd00::/8", "fd12::1", true},
		{"*", "8.8.8.8", true}, {"", "127.0.0.1", false}, {"::ffff:10.0.0.1", "10.0.0.1", true},
	} {
		trusted, err := parseTrust("forwarded_allow_ips", c.list)
		if err != nil {
			t.Errorf("%q: %v", c.list, err)
		}
		if got := trusted.includes(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%q includes %s: %v, want %v", c.list, c.addr, got, c.want)
		}
	}
	for _, list := range []string{"10.0.0.1/8", "localhost", "1.2.3", "10.0.0.0/33", "127.0.0.1;::1"} {
		if _, err := parseTrust("forwarded_allow_ips", list); err == nil {
			t.Errorf("%q was taken", list)
		}
	}
}

// A scheme is believed only of a peer that is trusted: anybody else could make
// an application take plain text for TLS.
func TestOnlyTrustedPeersSayTheScheme(t *testing.T) {
	for _, trusted := range []string{"127.0.0.1", "10.0.0.1"} {
		g := newRig(t, func(c *Config) { c.Proxies = Proxies{AllowIPs: trusted, SchemeHeaders: schemeHeaders} })
		g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
			s.send(dispatch.Tuple{id, "200 OK", fields(), []byte(env["wsgi.url_scheme"].(string))})
		})
		for _, r := range []struct {
			headers, believed string
			status            int
		}{
			{"", "http", 200},
			{"X-Forwarded-Proto: https\r\n", "https", 200},
			{"x-forwarded-ssl: on\r\n", "https", 200},
			{"X-Forwarded-Protocol: ssl\r\nX-Forwarded-Proto: https\r\n", "https", 200},
			{"X-Forwarded-Proto: http\r\n", "http", 200},
			{"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n", "", 400},
		} {
			c := g.dial()
			c.say("GET / HTTP/1.1\r\nHost: x\r\n" + r.headers + "\r\n")
			response, scheme := c.hear("GET")
			want, status := r.believed, r.status
			if trusted != "127.0.0.1" {
				want, status = "http", 200
			}
			if response.StatusCode != status || status == 200 && scheme != want {
				t.Errorf("trusting %s, %q gave %d %q, want %d %q", trusted, r.headers, response.StatusCode, scheme, status, want)
			}
		}
	}
}

// schemeHeaders are Gunicorn's default.
var schemeHeaders = []SchemeHeader{
	{"X-FORWARDED-PROTOCOL", "ssl"}, {"X-FORWARDED-PROTO", "https"}, {"X-FORWARDED-SSL", "on"},
}
