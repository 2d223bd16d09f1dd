package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/pires/go-proxyproto"
)

// proxyMode is which versions of the PROXY protocol connections must begin with
// (doc/proxy-protocol.txt of HAProxy).
type proxyMode uint8

const (
	noProxyHeader proxyMode = 0
	proxyV1       proxyMode = 1 << 0
	proxyV2       proxyMode = 1 << 1
)

func parseProxyMode(text string) (proxyMode, error) {
	switch text {
	case "", "off":
		return noProxyHeader, nil
	case "v1":
		return proxyV1, nil
	case "v2":
		return proxyV2, nil
	case "auto":
		return proxyV1 | proxyV2, nil
	}
	return 0, fmt.Errorf("proxy_protocol: %q is not known", text)
}

const (
	maxProxyV1 = 107 // bytes of the longest lawful line
	// maxProxyV2 bounds a header of version 2, whose length could say 64 KiB. A
	// client's certificate, the largest thing that is known to be sent in one,
	// has 1 to 2 KiB.
	maxProxyV2 = 16 + 4096
)

var (
	errNoProxyHeader = errors.New("no PROXY header at the start of the connection")
	errProxyTooLong  = errors.New("PROXY header too long")
	errProxyPeer     = errors.New("not in proxy_allow_ips")
	errProxySlow     = errors.New("PROXY header did not arrive in time")
)

// frame finds the end of the header that data begins with: its length, or 0 if
// more bytes are needed.
func (m proxyMode) frame(data []byte) (int, error) {
	v1, v2 := []byte("PROXY "), proxyproto.SIGV2
	switch {
	case m&proxyV1 != 0 && begins(data, v1):
		line := data[:min(len(data), maxProxyV1)]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			return end + 1, nil
		}
		if len(line) == maxProxyV1 {
			return 0, errProxyTooLong
		}
		return 0, nil
	case m&proxyV2 != 0 && begins(data, v2):
		if len(data) < 16 {
			return 0, nil
		}
		size := 16 + int(binary.BigEndian.Uint16(data[14:]))
		if size > maxProxyV2 {
			return 0, errProxyTooLong
		}
		if len(data) < size {
			return 0, nil
		}
		return size, nil
	}
	return 0, errNoProxyHeader
}

// begins reports whether data may begin with prefix, as far as it is there.
func begins(data, prefix []byte) bool {
	n := min(len(data), len(prefix))
	return bytes.Equal(data[:n], prefix[:n])
}

// announced is what a PROXY header says of its connection. Without client it is
// one that the proxy made for itself, or about which it knows nothing.
type announced struct {
	client, server netip.AddrPort
	secure         bool // the client spoke TLS to the proxy
}

// parseProxyHeader reads a whole header, as frame has found it.
func parseProxyHeader(header []byte) (announced, error) {
	if len(header) >= 16 && header[12] == 0x21 && header[13] == 0 {
		// PROXY of an unspecified family: the receiver is free to go on with the
		// addresses that it sees (section 2.2); the library is not.
		return announced{}, nil
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil {
		return announced{}, fmt.Errorf("read a PROXY header: %w", err)
	}
	if h.Command.IsLocal() || h.TransportProtocol.IsUnix() {
		return announced{}, nil
	}
	client, ok1 := h.SourceAddr.(*net.TCPAddr)
	server, ok2 := h.DestinationAddr.(*net.TCPAddr)
	if !ok1 || !ok2 {
		return announced{}, errors.New("read a PROXY header: it is not about a stream")
	}
	a := announced{client: unmapped(client), server: unmapped(server)}
	tlvs, _ := h.TLVs() // of them one is of interest, and it may be missing
	for _, tlv := range tlvs {
		const clientSSL = 1 // PP2_CLIENT_SSL, the bit that says so
		if tlv.Type == proxyproto.PP2_TYPE_SSL && len(tlv.Value) > 0 {
			a.secure = tlv.Value[0]&clientSSL != 0
		}
	}
	return a, nil
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// announce takes over what the PROXY header says. What the client itself says in
// its header fields is believed if the client is trusted, and no more because
// the proxy is: a proxy of this kind passes them on unread.
func (c *conn) announce(a announced, f *forwarding) {
	if !a.client.IsValid() {
		return
	}
	c.secure, c.about = a.secure, &a
	c.trusted = f.trusted.includes(a.client.Addr())
	c.setPeer(a.client)
	family := "TCP6"
	if a.client.Addr().Is4() {
		family = "TCP4"
	}
	b := appendPair(nil, "PROXY_PROTOCOL", family)
	b = appendPair(b, "PROXY_ADDR", a.server.Addr().String())
	c.peer = append(c.peer, appendPair(b, "PROXY_PORT", strconv.Itoa(int(a.server.Port())))...)
}

// takeProxyHeader reads the header at the start of a connection. It returns how
// many bytes that has: 0 when more are needed, or when the connection was closed
// because it does not begin with one.
func (l *loop) takeProxyHeader(c *conn, data []byte) int {
	size, err := c.listener.proxy.frame(data)
	if err == nil && size == 0 {
		return 0
	}
	var a announced
	if err == nil {
		a, err = parseProxyHeader(data[:size])
	}
	if err != nil {
		l.turnAway(c, err)
		return 0
	}
	c.unannounced = false
	c.announce(a, &l.gateway.forwarding)
	return size
}

// turnAway closes a connection that is not what this listener expects. Nothing
// is said to it, because nobody knows what it speaks; the log tells of the first
// in a while, for strangers may come in any number.
func (l *loop) turnAway(c *conn, why error) {
	l.turned++
	l.figures.Refused[ReasonStranger]++
	if l.now >= l.turnedTold {
		l.log.Warn("connection turned away", "listener", c.listener.name, "client", string(c.client),
			"error", why, "count", l.turned)
		l.turned, l.turnedTold = 0, l.now+pauseQuiet
	}
	l.close(c)
}

// announcedWith goes on with a connection whose PROXY header was read and
// followed by rest. It reports whether that is the beginning of a request.
func (l *loop) announcedWith(c *conn, rest []byte) bool {
	if c.listener.scheme == "https" {
		l.settle(c, rest, (*resident).liveTLS)
		return false
	}
	if len(rest) == 0 {
		l.keep(c, nil)
	}
	return len(rest) > 0
}
