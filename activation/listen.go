package activation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// DefaultBacklog is how many connections may wait to be accepted when
// [ListenOptions] does not say. The kernel lowers any number to
// net.core.somaxconn.
const DefaultBacklog = 2048

// ListenOptions are the choices of [Listen]. The zero value is ready to use.
type ListenOptions struct {
	// Backlog is the length of the queue of connections waiting to be accepted,
	// from 1; 0 means DefaultBacklog.
	Backlog int

	// Mode is the permission bits of a Unix socket's file. Who may write to the
	// file may connect. 0 means 0777 less the umask of the process. The umask
	// itself is never changed, because it belongs to all threads at once.
	Mode fs.FileMode

	// ReusePort sets SO_REUSEPORT on a TCP socket, so that several sockets of one
	// user can be bound to one address and the kernel spreads connections over
	// them. All of them must have it. Connections that wait in a socket when its
	// last holder closes it are reset.
	ReusePort bool

	// V6Only keeps an IPv6 socket from taking IPv4 connections. Without it,
	// [::] accepts both, whatever net.ipv6.bindv6only says.
	V6Only bool
}

// Listen binds b and listens on it. The socket is close-on-exec and
// non-blocking, belongs to the caller, and has Owned set; TCP sockets have
// SO_REUSEADDR, and TCP_NODELAY, which accepted connections inherit. For fd://N
// it is [FromFD], and Owned is false.
//
// A host name is looked up, and bound is its first IPv4 address, or its first
// IPv6 address if it has no other: "localhost" is one address, 127.0.0.1, and
// not two sockets.
//
// A socket file that nobody listens on, left by a process that was killed, is
// replaced. One that somebody listens on is "address already in use", and any
// other file at the path is an error; both stay as they are. Of several
// processes that do this to one path at the same time, exactly one succeeds, as
// long as they may read the directory.
//
// ctx bounds the look-up of the name and the wait for others who bind in the
// same directory. Errors wrap the kernel's, such as EADDRINUSE and EACCES, and
// say what to change.
func Listen(ctx context.Context, b Bind, opt ListenOptions) (Socket, error) {
	if opt.Backlog == 0 {
		opt.Backlog = DefaultBacklog
	}
	if opt.Backlog < 0 {
		return Socket{}, fmt.Errorf("listen on %s: backlog of %d; use 1 or more", b, opt.Backlog)
	}
	var s Socket
	var err error
	switch b.Network {
	case "tcp":
		s, err = listenTCP(ctx, b, opt)
	case "unix":
		s, err = listenUnix(ctx, b, opt)
	case "fd":
		return FromFD(b.FD, b.Text)
	default:
		err = fmt.Errorf("unknown network %q; make the Bind with ParseBind", b.Network)
	}
	if err != nil {
		return Socket{}, fmt.Errorf("listen on %s: %w", b, err)
	}
	s.Name, s.Owned = b.Text, true
	return s, nil
}

func listenTCP(ctx context.Context, b Bind, opt ListenOptions) (Socket, error) {
	ip, err := resolve(ctx, b.Host)
	if err != nil {
		return Socket{}, err
	}
	sa, family, err := sockaddr(ip, b.Port)
	if err != nil {
		return Socket{}, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return Socket{}, explainTCP(err, b.Port)
	}
	if err := bindTCP(fd, family, sa, opt); err != nil {
		_ = unix.Close(fd) // never bound, or never seen by a client
		return Socket{}, explainTCP(err, b.Port)
	}
	network, address, err := localAddress(fd)
	if err != nil {
		_ = unix.Close(fd) // it listened for an instant; a client sees a reset
		return Socket{}, err
	}
	return Socket{FD: fd, Network: network, Address: address}, nil
}

func bindTCP(fd, family int, sa unix.Sockaddr, opt ListenOptions) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if opt.ReusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if family == unix.AF_INET6 {
		only := 0
		if opt.V6Only {
			only = 1
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return err
	}
	return unix.Listen(fd, opt.Backlog)
}

// resolve turns host into the one address to bind.
func resolve(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look up host: %w", err)
	}
	if len(found) == 0 {
		return netip.Addr{}, errors.New("look up host: no address; write an IP address")
	}
	return choose(found), nil
}

// choose picks the address to bind from those of one name, at least one. A
// proxy beside us that is told "localhost" tries 127.0.0.1 for certain, and
// ::1 perhaps.
func choose(found []netip.Addr) netip.Addr {
	for _, ip := range found {
		if ip = ip.Unmap(); ip.Is4() {
			return ip
		}
	}
	return found[0]
}

func sockaddr(ip netip.Addr, port uint16) (sa unix.Sockaddr, family int, err error) {
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: ip.As4()}, unix.AF_INET, nil
	}
	zone, err := zoneID(ip.Zone())
	if err != nil {
		return nil, 0, err
	}
	return &unix.SockaddrInet6{Port: int(port), ZoneId: zone, Addr: ip.As16()}, unix.AF_INET6, nil
}

// zoneID turns the part of an IPv6 address after % into an interface's number.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	link, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("look up interface %q: %w", zone, err)
	}
	return uint32(link.Index), nil
}

// explainTCP adds to err what a person can do about it.
func explainTCP(err error, port uint16) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w; see who has it with: ss -ltnp 'sport = :%d'", err, port)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w; let a systemd socket unit open it, or give the process CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w; no interface of this machine has the address, see: ip address", err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("%w; this kernel or this service (RestrictAddressFamilies=) has no such addresses", err)
	}
	return err
}
