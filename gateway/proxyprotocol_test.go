package gateway

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// v2Header makes a header of version 2: command and family as their bytes.
func v2Header(command, family byte, rest ...byte) string {
	b := []byte("\r\n\r\n\x00\r\nQUIT\n")
	b = append(b, command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rest)))
	return string(append(b, rest...))
}

// v2TCP4 is about a client at 192.0.2.7:4097 that asked 198.51.100.1:443, with
// these TLVs behind.
func v2TCP4(tlvs ...byte) string {
	rest := []byte{192, 0, 2, 7, 198, 51, 100, 1, 0x10, 0x01, 0x01, 0xbb}
	return v2Header(0x21, 0x11, append(rest, tlvs...)...)
}

var tlsTLV = []byte{0x20, 0, 5, 1, 0, 0, 0, 0}

func TestProxyHeaders(t *testing.T) {
	v6 := append(append(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice()...), 0x10, 0x01, 0x01, 0xbb)
	mapped := append(append(netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), netip.MustParseAddr("::ffff:198.51.100.1").AsSlice()...), 0x10, 0x01, 0x01, 0xbb)
	auto := proxyV1 | proxyV2
	for _, c := range []struct {
		mode           proxyMode
		header, client string
		secure         bool
	}{
		{auto, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\n", "192.0.2.7:4097", false},
		{proxyV1, "PROXY TCP6 2001:db8::7 2001:db8::1 4097 443\r\n", "[2001:db8::7]:4097", false},
		{auto, "PROXY UNKNOWN\r\n", "invalid AddrPort", false},
		{auto, "PROXY UNKNOWN ff:: ff:: 1 2\r\n", "invalid AddrPort", false},
		{proxyV2, v2TCP4(), "192.0.2.7:4097", false},
		{auto, v2TCP4(tlsTLV...), "192.0.2.7:4097", true},
		{auto, v2TCP4(0x20, 0, 5, 0, 0, 0, 0, 0), "192.0.2.7:4097", false},
		{auto, v2TCP4(0x04, 0, 3, 1, 2, 3), "192.0.2.7:4097", false},
		{auto, v2TCP4(0x20, 0xff), "192.0.2.7:4097", false}, // broken TLVs are of no interest
		{auto, v2Header(0x21, 0x21, v6...), "[2001:db8::7]:4097", false},
		{auto, v2Header(0x21, 0x21, mapped...), "192.0.2.7:4097", false},
		{auto, v2Header(0x20, 0x00), "invalid AddrPort", false},                       // LOCAL
		{auto, v2Header(0x20, 0x11, 1, 2, 3), "invalid AddrPort", false},              // LOCAL, whatever follows
		{auto, v2Header(0x21, 0x00, 1, 2, 3), "invalid AddrPort", false},              // UNSPEC
		{auto, v2Header(0x21, 0x31, make([]byte, 216)...), "invalid AddrPort", false}, // Unix
	} {
		for n := range len(c.header) {
			if size, err := c.mode.frame([]byte(c.header[:n])); err != nil || size != 0 {
				t.Errorf("%q: after %d bytes the frame is %d, %v", c.header, n, size, err)
			}
		}
		size, err := c.mode.frame([]byte(c.header + "GET / HTTP/1.1\r\n"))
		if err != nil || size != len(c.header) {
			t.Errorf("%q: frame is %d, %v, want %d", c.header, size, err, len(c.header))
			continue
		}
		a, err := parseProxyHeader([]byte(c.header))
		if err != nil || a.client.String() != c.client || a.secure != c.secure {
			t.Errorf("%q: %v secure %v, %v; want %s secure %v", c.header, a.client, a.secure, err, c.client, c.secure)
		}
	}
}

func TestBrokenProxyHeaders(t *testing.T) {
	auto := proxyV1 | proxyV2
	for _, c := range []struct {
		mode   proxyMode
		header string
	}{
		{proxyV2, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\n"},
		{proxyV1, v2TCP4()},
		{auto, "GET / HTTP/1.1\r\n"},
		{auto, "\x16\x03\x01\x02"},
		{auto, "PROXY  TCP4 192.0.2.7 198.51.100.1 4097 443\r\n"},
		{auto, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\n"},
		{auto, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 65536\r\n"},
		{auto, "PROXY TCP4 192.0.2.7 198.51.100.1 04097 443\r\n"},
		{auto, "PROXY TCP4 2001:db8::7 2001:db8::1 4097 443\r\n"},
		{auto, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443 x\r\n"},
		{auto, "PROXY UDP4 192.0.2.7 198.51.100.1 4097 443\r\n"},
		{auto, "PROXY " + strings.Repeat("x", 200)},
		{auto, v2Header(0x31, 0x11, make([]byte, 12)...)}, // version 3
		{auto, v2Header(0x22, 0x11, make([]byte, 12)...)}, // neither LOCAL nor PROXY
		{auto, v2Header(0x21, 0x12, make([]byte, 12)...)}, // UDP
		{auto, v2Header(0x21, 0x11, make([]byte, 11)...)}, // short
		{auto, v2Header(0x21, 0x41, make([]byte, 12)...)}, // no such family
		{auto, v2Header(0x21, 0x11)[:14] + "\xff\xff"},    // 64 KiB
	} {
		size, err := c.mode.frame([]byte(c.header))
		if err == nil && size == 0 {
			t.Errorf("%q: more bytes are waited for", c.header)
			continue
		}
		if err == nil {
			_, err = parseProxyHeader([]byte(c.header[:size]))
		}
		if err == nil {
			t.Errorf("%q was taken", c.header)
		}
	}
}

// The client that the header names is the client of every request of the
// connection, and what it says in its fields is judged by its own address.
func TestAnnouncedConnections(t *testing.T) {
	g := newRig(t, func(c *Config) {
		c.Proxies = Proxies{AllowIPs: "127.0.0.1", SchemeHeaders: schemeHeaders, Protocol: "auto", ProtocolAllowIPs: "127.0.0.1"}
	})
	seen := make(chan map[string]any, 8)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, _ int) {
		seen <- env
		s.send(dispatch.Tuple{id, "200 OK", fields(), body})
	})
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\n": "REMOTE_ADDR=192.0.2.7 REMOTE_PORT=4097 wsgi.url_scheme=http PROXY_PROTOCOL=TCP4 PROXY_ADDR=198.51.100.1 PROXY_PORT=443",
		"PROXY UNKNOWN\r\n": "REMOTE_ADDR=127.0.0.1 wsgi.url_scheme=https PROXY_PROTOCOL-",
		v2TCP4(tlsTLV...):   "REMOTE_ADDR=192.0.2.7 wsgi.url_scheme=https",
	} {
		for _, cut := range []int{0, 1, 5, 15, len(header) - 1, len(header)} {
			c := g.dial()
			c.say(header[:cut])
			time.Sleep(200 * time.Microsecond) // mostly two reads; it must hold for one as well
			c.say(header[cut:] + "GET /1 HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n")
			c.hear("GET")
			c.say("POST /2 HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
			if _, body := c.hear("POST"); body != "a" {
				t.Errorf("the second request was answered %q", body)
			}
			for range 2 {
				expectEnviron(t, header, <-seen, want)
			}
		}
	}
}

// Who does not announce itself must get no service, however it begins.
func TestUnannouncedConnectionsAreTurnedAway(t *testing.T) {
	g := newRig(t, func(c *Config) {
		c.Proxies = Proxies{Protocol: "v2", ProtocolAllowIPs: "127.0.0.1"}
		c.Patience = 300 * time.Millisecond
	})
	g.hire(0, text("reached the worker"))
	for _, start := range []string{get, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\n" + get, v2TCP4()[:20], ""} {
		c := g.dial()
		c.say(start)
		if rest, _ := io.ReadAll(c.Conn); len(rest) > 0 { // an orderly end or a reset
			t.Errorf("%q was answered %q", start, rest)
		}
	}
	if !strings.Contains(g.log.String(), "connection turned away") {
		t.Error("the log does not tell of it")
	}
	stranger := newRig(t, func(c *Config) { c.Proxies = Proxies{Protocol: "auto", ProtocolAllowIPs: "10.0.0.1"} })
	stranger.hire(0, text("reached the worker"))
	c := stranger.dial()
	_, _ = io.WriteString(c.Conn, "PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\n"+get) // it may be closed by now
	if rest, _ := io.ReadAll(c.Conn); len(rest) > 0 {
		t.Errorf("a stranger was answered %q", rest)
	}
	if said := stranger.log.String(); !strings.Contains(said, errProxyPeer.Error()) {
		t.Errorf("the log says %q", said)
	}
}

func TestUnknownProxyModes(t *testing.T) {
	for _, p := range []Proxies{{Protocol: "v3"}, {ProtocolAllowIPs: "10.0.0.1/8"}, {Family: "x"}, {HeaderMap: "x"}} {
		if _, err := p.forwarding(); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// A header is found and read, or refused, and never read beyond its end.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 4097 443\r\nGET /"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2TCP4(tlsTLV...)))
	f.Add([]byte(v2Header(0x20, 0x00)))
	f.Fuzz(func(t *testing.T, data []byte) {
		size, err := (proxyV1 | proxyV2).frame(data)
		if err != nil || size == 0 {
			return
		}
		a, err := parseProxyHeader(data[:size])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: the frame of %d bytes is too short", hex.EncodeToString(data), size)
		}
		if err == nil && a.client.IsValid() != a.server.IsValid() {
			t.Errorf("%q: client %v, server %v", data, a.client, a.server)
		}
		again, err2 := parseProxyHeader(append(append([]byte(nil), data[:size]...), data[size:]...)[:size])
		if (err == nil) != (err2 == nil) || a != again {
			t.Errorf("%q is read differently the second time", data)
		}
	})
}

// The header comes before the handshake, in a packet of its own or with it.
func TestAnnouncedTLS(t *testing.T) {
	g, ca := newTLSRig(t, func(c *Config) { c.Proxies = Proxies{Protocol: "auto", ProtocolAllowIPs: "127.0.0.1"} })
	seen := make(chan map[string]any, 2)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, _ int) {
		seen <- env
		s.send(dispatch.Tuple{id, "200 OK", fields(), body})
	})
	for _, apart := range []bool{true, false} {
		raw := g.dial()
		conn := &announcing{Conn: raw.Conn, header: v2TCP4(tlsTLV...), apart: apart}
		secure := tls.Client(conn, &tls.Config{RootCAs: ca.pool, ServerName: "example.org"})
		c := &client{t: t, Conn: secure, in: bufio.NewReader(secure)}
		c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, _ := c.hear("GET"); r.StatusCode != 200 {
			t.Errorf("got %d", r.StatusCode)
		}
		expectEnviron(t, "TLS", <-seen, "REMOTE_ADDR=192.0.2.7 REMOTE_PORT=4097 wsgi.url_scheme=https PROXY_PORT=443")
	}
	c := g.dial()
	c.say("\x16\x03\x01\x00\x05hello")
	if rest, _ := io.ReadAll(c.Conn); len(rest) > 0 {
		t.Errorf("a handshake without a header was answered %q", rest)
	}
}

// announcing sends a header before the first bytes, in the same packet or apart.
type announcing struct {
	net.Conn
	header string
	apart  bool
}

func (a *announcing) Write(p []byte) (int, error) {
	header := a.header
	a.header = ""
	if a.apart && header != "" {
		if _, err := io.WriteString(a.Conn, header); err != nil {
			return 0, err
		}
		header = ""
	}
	n, err := a.Conn.Write(append([]byte(header), p...))
	return max(n-len(header), 0), err
}
