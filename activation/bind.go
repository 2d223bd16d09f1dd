package activation

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the TCP port of an address that names none.
const DefaultPort = 8000

// maxPath is the longest path of a Unix socket: sun_path has 108 bytes, and the
// last one is kept for the NUL that some programs rely on (unix(7)).
const maxPath = 107

// Bind is an address to listen on, as [ParseBind] reads it. The fields that
// Network does not name are zero.
type Bind struct {
	Text    string // as it was written; becomes the Name of the Socket
	Network string // "tcp", "unix" or "fd"
	Host    string // tcp: an IP address without brackets, or a host name
	Port    uint16 // tcp: 0 lets the kernel choose
	Path    string // unix: a path, or @NAME for the abstract namespace
	FD      int    // fd: a descriptor the process was started with
}

// ParseBind reads an address in Gunicorn's spelling:
//
//	HOST:PORT  HOST  :PORT  [v6]:PORT  [v6]  tcp://…  unix:PATH  unix://PATH  unix:@NAME  fd://N
//
// Without a port it is [DefaultPort], without a host 0.0.0.0. It does no
// look-ups and opens nothing. Errors name the text and a remedy.
func ParseBind(text string) (Bind, error) {
	b, err := parseBind(text)
	if err != nil {
		return Bind{}, fmt.Errorf("read address %q: %w", text, err)
	}
	b.Text = text
	return b, nil
}

func parseBind(text string) (Bind, error) {
	if rest, ok := strings.CutPrefix(text, "unix:"); ok {
		return parseUnix(strings.TrimPrefix(rest, "//"))
	}
	if rest, ok := strings.CutPrefix(text, "fd://"); ok {
		fd, err := strconv.ParseUint(rest, 10, 31)
		if err != nil {
			return Bind{}, fmt.Errorf("%q is not a descriptor number; write fd://3", rest)
		}
		return Bind{Network: "fd", FD: int(fd)}, nil
	}
	if rest, ok := strings.CutPrefix(text, "tcp://"); ok {
		return parseTCP(strings.TrimSuffix(rest, "/"))
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return Bind{}, fmt.Errorf("%q is not a kind of address; write HOST:PORT, unix:PATH or fd://N", scheme+"://")
	}
	return parseTCP(text)
}

func parseUnix(path string) (Bind, error) {
	switch {
	case path == "" || path == "@":
		return Bind{}, errors.New("no path; write unix:PATH, or unix:@NAME for the abstract namespace")
	case len(path) > maxPath:
		return Bind{}, fmt.Errorf("a path of %d bytes, and the kernel takes %d; choose a shorter directory, such as one in /run", len(path), maxPath)
	case strings.ContainsRune(path, 0):
		return Bind{}, errors.New("a NUL byte in the path; remove it")
	case strings.HasSuffix(path, "/"):
		return Bind{}, errors.New("a directory; add the name of the socket file")
	}
	return Bind{Network: "unix", Path: path}, nil
}

func parseTCP(text string) (Bind, error) {
	if text == "" {
		return Bind{}, errors.New("nothing there; write HOST:PORT, unix:PATH or fd://N")
	}
	host, port, err := splitPort(text)
	if err != nil {
		return Bind{}, err
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if _, err := netip.ParseAddr(host); err != nil {
		if err := checkHostName(host); err != nil {
			return Bind{}, err
		}
	}
	return Bind{Network: "tcp", Host: host, Port: port}, nil
}

// splitPort separates host and port. Brackets are required around an IPv6
// address: without them nobody knows whether its last group is a port.
func splitPort(text string) (host string, port uint16, err error) {
	rest := ""
	if inner, ok := strings.CutPrefix(text, "["); ok {
		host, rest, ok = strings.Cut(inner, "]")
		ip, err := netip.ParseAddr(host)
		if !ok || err != nil || !ip.Is6() || (rest != "" && rest[0] != ':') {
			return "", 0, fmt.Errorf("not an IPv6 address in brackets; write [::1]:%d", DefaultPort)
		}
	} else if strings.Count(text, ":") > 1 {
		if _, err := netip.ParseAddr(text); err == nil {
			return "", 0, fmt.Errorf("an IPv6 address without brackets; write [%s]:%d", text, DefaultPort)
		}
		return "", 0, errors.New("more than one colon; write HOST:PORT, or [ADDRESS]:PORT for IPv6")
	} else if i := strings.IndexByte(text, ':'); i >= 0 {
		host, rest = text[:i], text[i:]
	} else {
		host = text
	}
	if rest == "" {
		return host, DefaultPort, nil
	}
	n, err := strconv.ParseUint(rest[1:], 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not a port; write a number from 0 to 65535", rest[1:])
	}
	return host, uint16(n), nil
}

// checkHostName refuses what the resolver would take for something else: a
// bare number is an IPv4 address to it (8000 is 0.0.31.64), and is a port to
// the person who wrote it.
func checkHostName(host string) error {
	letters := false
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
			letters = true
		case r >= '0' && r <= '9', r == '-', r == '.':
		default:
			return fmt.Errorf("%q cannot be in a host name; write an IP address, or :PORT for every address", r)
		}
	}
	if !letters {
		if _, err := strconv.ParseUint(host, 10, 16); err == nil {
			return fmt.Errorf("a port without a colon; write :%s for every address, or 127.0.0.1:%s", host, host)
		}
		return fmt.Errorf("%q is not an IP address; write four numbers from 0 to 255, such as 127.0.0.1", host)
	}
	return nil
}

// String returns the address in the form that [ParseBind] reads, with the
// parts that were left out.
func (b Bind) String() string {
	switch b.Network {
	case "tcp":
		if b.Host == "unix" { // a host of that name; unix:8000 would be a path
			return "tcp://unix:" + strconv.Itoa(int(b.Port))
		}
		return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	case "unix":
		return "unix:" + b.Path
	case "fd":
		return "fd://" + strconv.Itoa(b.FD)
	}
	return b.Text
}
