package activation

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/indrik/indrik/internal/fdcheck"
	"golang.org/x/sys/unix"
)

func option(t *testing.T, s Socket, level, name int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(s.FD, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestListenTCP(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "127.0.0.1:0", ListenOptions{})
	if s.Name != "127.0.0.1:0" || s.Network != "tcp" || !s.Owned || s.File != (FileID{}) {
		t.Errorf("socket is %+v", s)
	}
	if at, err := netip.ParseAddrPort(s.Address); err != nil || at.Port() == 0 {
		t.Errorf("address is %q (%v), want the port that was chosen", s.Address, err)
	}
	if f, err := flagsOf(s.FD); err != nil || f != (flags{true, true}) {
		t.Errorf("flags are %+v (%v), want close-on-exec and non-blocking", f, err)
	}
	if option(t, s, unix.SOL_SOCKET, unix.SO_REUSEADDR) == 0 {
		t.Error("no SO_REUSEADDR: a restart within a minute would fail")
	}
	if option(t, s, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
		t.Error("no TCP_NODELAY")
	}
	answers(t, "tcp", s.Address)
}

// [::] is what people write for "everything", whatever the sysctl says.
func TestIPv6TakesIPv4UnlessToldNot(t *testing.T) {
	t.Parallel()
	both := mustListen(t, "[::]:0", ListenOptions{})
	only := mustListen(t, "[::]:0", ListenOptions{V6Only: true})
	if option(t, both, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) != 0 || option(t, only, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) == 0 {
		t.Error("IPV6_V6ONLY is not as asked")
	}
	port := netip.MustParseAddrPort(both.Address).Port()
	answers(t, "tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	answers(t, "tcp", netip.AddrPortFrom(netip.IPv6Loopback(), port).String())
}

// Behind a proxy that speaks to 127.0.0.1, a server on ::1 is down.
func TestLocalhostIsIPv4(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "localhost:0", ListenOptions{})
	if !strings.HasPrefix(s.Address, "127.0.0.1:") {
		t.Errorf("localhost is bound as %s", s.Address)
	}
}

func TestNamePrefersIPv4(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ found, want string }{
		{"::1 127.0.0.1 127.0.0.2", "127.0.0.1"},
		{"::1 ::2", "::1"},
		{"::ffff:127.0.0.1", "127.0.0.1"},
	} {
		var found []netip.Addr
		for text := range strings.FieldsSeq(c.found) {
			found = append(found, netip.MustParseAddr(text))
		}
		if got := choose(found).String(); got != c.want {
			t.Errorf("of %s: %s, want %s", c.found, got, c.want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s := mustListen(t, "127.0.0.1:0", ListenOptions{})
	_, err := Listen(t.Context(), mustBind(t, s.Address), ListenOptions{})
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("error is %v, want EADDRINUSE inside", err)
	}
	contains(t, err, "listen on "+s.Address+": address already in use; ", "ss -ltnp")
}

func TestPortThatNeedsPrivilege(t *testing.T) {
	t.Parallel()
	lowest, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		t.Skip(err)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(lowest))); err != nil || n < 80 {
		t.Skipf("anybody may bind port 79 here (%s)", lowest)
	}
	_, err = unprivileged(t, func() (Socket, error) {
		return Listen(context.Background(), mustBind(t, "127.0.0.1:79"), ListenOptions{})
	})
	if !errors.Is(err, unix.EACCES) {
		t.Errorf("error is %v, want EACCES inside", err)
	}
	contains(t, err, "listen on 127.0.0.1:79: permission denied; ", "CAP_NET_BIND_SERVICE")
}

// unprivileged calls f on a thread without capabilities. They belong to the
// thread, and the thread ends with the goroutine that never unlocks it.
func unprivileged(t *testing.T, f func() (Socket, error)) (Socket, error) {
	t.Helper()
	type result struct {
		s   Socket
		err error
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			results <- result{err: err}
			return
		}
		s, err := f()
		results <- result{s, err}
	}()
	r := <-results
	return r.s, r.err
}

func TestListenErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bind  Bind
		opt   ListenOptions
		errno errno
		want  string
	}{
		// 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
		{Bind{Network: "tcp", Host: "192.0.2.1", Port: 80}, ListenOptions{}, unix.EADDRNOTAVAIL, "listen on 192.0.2.1:80: cannot assign requested address; no interface"},
		{Bind{Network: "tcp", Host: "fe80::1%no-such-link"}, ListenOptions{}, 0, `look up interface "no-such-link"`},
		{Bind{Network: "tcp", Host: "127.0.0.1"}, ListenOptions{Backlog: -1}, 0, "backlog of -1; use 1 or more"},
		{Bind{Network: "udp", Text: "x"}, ListenOptions{}, 0, `listen on x: unknown network "udp"`},
	} {
		s, err := Listen(t.Context(), c.bind, c.opt)
		if s != (Socket{}) {
			t.Errorf("%v: got %+v", c.bind, s)
		}
		if c.errno != 0 && !errors.Is(err, c.errno) {
			t.Errorf("%v: error is %v, want %v inside", c.bind, err, c.errno)
		}
		contains(t, err, c.want)
	}
}

type errno = unix.Errno

// The look-up must end with the context, or a dead name server delays the stop
// of a service that is still starting.
func TestLookUpEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Listen(ctx, mustBind(t, "host.invalid:80"), ListenOptions{})
	contains(t, err, "listen on host.invalid:80: look up host: ")
}

// Not parallel: the table of descriptors is one for the whole process.
func TestNoDescriptorIsLeft(t *testing.T) {
	fdcheck.NoLeak(t)
	dir := temp(t)
	path := in(dir, "s")
	for _, text := range []string{"127.0.0.1:0", "unix:" + path, "unix:@" + path} {
		s, err := Listen(t.Context(), mustBind(t, text), ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(t.Context(), mustBind(t, again(s)), ListenOptions{}); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("second socket on %s: %v", text, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, _ = Listen(t.Context(), mustBind(t, "unix:"+in(dir, "missing/s")), ListenOptions{})
	_, _ = Listen(t.Context(), Bind{Network: "tcp", Host: "192.0.2.1"}, ListenOptions{})
	_, _ = FromFD(0, "stdin")
}

// again is the address of s in the form that ParseBind reads.
func again(s Socket) string {
	if s.Network == "unix" {
		return "unix:" + s.Address
	}
	return s.Address
}
