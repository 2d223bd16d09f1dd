package http1

import "bytes"

// ValidAuthority reports whether a is a host, which is not empty, with or
// without a port: what a Host field may hold and be useful (RFC 9110 §7.2).
func ValidAuthority(a []byte) bool {
	_, ok := authority(a)
	return ok && len(a) > 0 && a[0] != ':'
}

// authority checks uri-host [ ":" port ] (RFC 9110 §7.2), without user
// information, and returns the port, empty if there is none or nothing after
// the colon. The host may be empty: RFC 9112 §3.2 has a client send an empty
// Host where its target has no authority.
func authority(a []byte) (port []byte, ok bool) {
	host := a
	if len(a) > 0 && a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		if end < 0 || !ipLiteral(a[1:end]) {
			return nil, false
		}
		host, a = nil, a[end+1:]
		if len(a) == 0 {
			return nil, true
		}
		if a[0] != ':' {
			return nil, false
		}
		port = a[1:]
	} else if colon := bytes.IndexByte(a, ':'); colon >= 0 {
		host, port = a[:colon], a[colon+1:]
	}
	return port, regName(host) && validPort(port)
}

// regName checks reg-name (RFC 3986 §3.2.2), of which an IPv4 address is one.
func regName(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if class[b[i]]&isHost != 0 {
			continue
		}
		if b[i] != '%' || len(b)-i < 3 || class[b[i+1]]&class[b[i+2]]&isHex == 0 {
			return false
		}
		i += 2
	}
	return true
}

// validPort accepts nothing, or a number that a port can be.
func validPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if class[c]&isDigit == 0 {
			return false
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return false
		}
	}
	return true
}

// ipLiteral checks what stands between the brackets: an IPv6 address without
// zone, or IPvFuture (RFC 3986 §3.2.2).
func ipLiteral(b []byte) bool {
	if len(b) > 0 && lower(b[0]) == 'v' {
		dot := bytes.IndexByte(b, '.')
		if dot < 2 || !allOf(b[1:dot], isHex) || dot+1 == len(b) {
			return false
		}
		for _, c := range b[dot+1:] {
			if class[c]&isHost == 0 && c != ':' {
				return false
			}
		}
		return true
	}
	return ipv6(b)
}

// ipv6 checks IPv6address. net/netip would do, but makes a string of it.
func ipv6(b []byte) bool {
	groups, gap := 0, false // 16-bit groups seen; "::" seen
	if bytes.HasPrefix(b, []byte("::")) {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && class[b[n]]&isHex != 0 {
			n++
		}
		if n < len(b) && b[n] == '.' {
			if !ipv4(b) {
				return false
			}
			groups += 2
			break
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		if b = b[1:]; b[0] == ':' {
			if gap {
				return false
			}
			gap, b = true, b[1:]
		}
	}
	if gap {
		return groups < 8
	}
	return groups == 8
}

// ipv4 checks IPv4address, the tail an IPv6 address may have: four decimal
// numbers up to 255 without leading zeros.
func ipv4(b []byte) bool {
	for part := 1; ; part++ {
		n, v := 0, 0
		for n < len(b) && n < 3 && class[b[n]]&isDigit != 0 {
			v = v*10 + int(b[n]-'0')
			n++
		}
		if n == 0 || v > 255 || n > 1 && b[0] == '0' {
			return false
		}
		if b = b[n:]; part == 4 {
			return len(b) == 0
		}
		if len(b) == 0 || b[0] != '.' {
			return false
		}
		b = b[1:]
	}
}
