package gateway

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/gateway/certs"
)

// newTLSRig starts a gateway with a certificate for example.org.
func newTLSRig(t *testing.T, change func(*Config)) (*rig, *authority) {
	t.Helper()
	ca := newAuthority(t, "ca")
	file := ca.issue("example", 7, "example.org")
	g := newRig(t, func(c *Config) {
		c.TLS = &TLS{Options: certs.Options{Certificates: []string{file}, Protocols: []string{"h2", "http/1.1"}}, Recheck: 20 * time.Millisecond}
		if change != nil {
			change(c)
		}
	})
	return g, ca
}

// secure connects and makes the handshake, offering HTTP/1.1 only unless
// change says otherwise.
func (g *rig) secure(ca *authority, change func(*tls.Config)) (*client, *tls.Conn) {
	g.t.Helper()
	c, secure, err := g.handshake(ca, change)
	check(g.t, err)
	return c, secure
}

func (g *rig) handshake(ca *authority, change func(*tls.Config)) (*client, *tls.Conn, error) {
	g.t.Helper()
	raw, err := net.Dial("tcp", g.address)
	check(g.t, err)
	g.t.Cleanup(func() { _ = raw.Close() })
	config := &tls.Config{RootCAs: ca.pool, ServerName: "example.org", NextProtos: []string{"http/1.1"}}
	if change != nil {
		change(config)
	}
	secure := tls.Client(raw, config)
	check(g.t, secure.SetDeadline(time.Now().Add(10*time.Second)))
	return &client{t: g.t, Conn: secure, in: bufio.NewReader(secure)}, secure, secure.Handshake()
}

// One connection carries many requests of every kind over TLS, and the
// application learns what it is told of plain ones, and how the client came.
func TestRequestsOverTLS(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	var seen shared[map[string]any]
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		seen.set(env)
		readAll(t)(s, id, env, body, fd)
	})
	c, _ := g.secure(ca, nil)
	c.say(get + get) // pipelined
	for range 2 {
		if _, body := c.hear("GET"); body != "inline 0 <nil> " {
			t.Errorf("got %q", body)
		}
	}
	want := map[string]any{
		"wsgi.url_scheme": "https", "HTTPS": "on", "SSL_PROTOCOL": "TLSv1.3", "SSL_TLS_SNI": "example.org",
		"SSL_CLIENT_VERIFY": "NONE", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
	}
	for key, value := range want {
		if got := seen.get()[key]; got != value {
			t.Errorf("%s is %v, want %v", key, got, value)
		}
	}
	for _, n := range []int{1, 5000, inlineBody + 1, 3 << 20} {
		text := strings.Repeat("b", n)
		go func() {
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, text)
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, text)
		}()
		for range 2 {
			if _, body := c.hear("POST"); !strings.HasSuffix(body, fmt.Sprintf(" %d %d %.3s", n, n, text)) {
				t.Errorf("body of %d: got %q", n, body)
			}
		}
	}
}

// Heads that trickle in, refusals and limits are those of plain connections.
func TestRefusalsOverTLS(t *testing.T) {
	g, ca := newTLSRig(t, func(c *Config) {
		c.Patience, c.KeepAlive = 300*time.Millisecond, 100*time.Millisecond
		c.BodyLimit = 10
	})
	g.hire(0, text("hello"))
	for _, r := range []struct {
		request string
		status  int
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		{"GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413},
		{"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501},
		{"GET / HTTP/1.1\r\nHo", 408},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", 408},
	} {
		c, _ := g.secure(ca, nil)
		c.say(r.request)
		if got, _ := c.hear("GET"); got.StatusCode != r.status || !got.Close {
			t.Errorf("%.30q: got %d, close %v; want %d", r.request, got.StatusCode, got.Close, r.status)
		}
		c.closed()
	}
	c, _ := g.secure(ca, nil)
	for _, piece := range []string{"GET / HT", "TP/1.1\r", "\nHost: x\r\n", "\r\n"} {
		c.say(piece)
	}
	if _, body := c.hear("GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
	c.closed() // by the idle limit, with an orderly end
}

// Streams, files and large bodies leave through the same code as plain ones.
func TestResponsesOverTLS(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	content := strings.Repeat("0123456789", 200_000)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		switch env["PATH_INFO"] {
		case "/file":
			fd := memfd(t, content)
			s.send(dispatch.Tuple{id, "200 OK", fields(), dispatch.Tuple{int64(5), int64(len(content) - 5)}}, fd)
			_ = unix.Close(fd)
		case "/stream":
			w := s.stream(id, fields(), "first,")
			_, _ = io.WriteString(w, content)
			s.finish(id, w, true)
		case "/broken":
			w := s.stream(id, fields("Content-Length", "100"), "first,")
			s.finish(id, w, false)
		}
	})
	c, _ := g.secure(ca, nil)
	for path, want := range map[string]string{"/file": content[5:], "/stream": "first," + content} {
		c.say("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, body := c.hear("GET"); body != want || r.Close {
			t.Errorf("%s: %d bytes, want %d; close %v", path, len(body), len(want), r.Close)
		}
	}
	c.say("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body, err := c.listen("GET"); err == nil {
		t.Errorf("a broken stream looked whole: %q", body)
	}
}

// Who shows a certificate of the authority is let in and known to the
// application; who does not is turned away, by the demand.
func TestClientCertificates(t *testing.T) {
	clients := newAuthority(t, "clients")
	strangers := newAuthority(t, "strangers")
	known := clients.pair(clients.issue("alice", 0xabc))
	unknown := strangers.pair(strangers.issue("mallory", 1))
	for _, c := range []struct {
		demand certs.Demand
		shown  []tls.Certificate
		verify string // "" for turned away
	}{
		{certs.RequiredCertificate, known, "SUCCESS"},
		{certs.RequiredCertificate, unknown, ""},
		{certs.RequiredCertificate, nil, ""},
		{certs.OptionalCertificate, nil, "NONE"},
		{certs.OptionalCertificate, known, "SUCCESS"},
		{certs.OptionalCertificate, unknown, ""},
		{certs.NoCertificate, unknown, "NONE"},
	} {
		g, ca := newTLSRig(t, func(config *Config) {
			config.TLS.Clients = c.demand
			if c.demand != certs.NoCertificate {
				config.TLS.ClientCAs = clients.path("clients")
			}
		})
		var seen shared[map[string]any]
		g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
			seen.set(env)
			text("hello")(s, id, env, body, fd)
		})
		conn, _, err := g.handshake(ca, func(config *tls.Config) {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if c.shown == nil {
					return &tls.Certificate{}, nil
				}
				return &c.shown[0], nil
			}
		})
		if err == nil {
			if _, err = io.WriteString(conn, get); err == nil {
				_, _, err = conn.listen("GET") // with TLS 1.3 the client hears of it only now
			}
		}
		if (err == nil) != (c.verify != "") {
			t.Errorf("demand %d, %d shown: %v", c.demand, len(c.shown), err)
		}
		if err == nil && seen.get()["SSL_CLIENT_VERIFY"] != c.verify {
			t.Errorf("demand %d: SSL_CLIENT_VERIFY is %v", c.demand, seen.get()["SSL_CLIENT_VERIFY"])
		}
		if c.verify == "SUCCESS" {
			env := seen.get()
			if env["SSL_CLIENT_M_SERIAL"] != "ABC" || env["SSL_CLIENT_S_DN_CN"] != "alice" ||
				!strings.HasPrefix(env["SSL_CLIENT_CERT"].(string), "-----BEGIN CERTIFICATE-----\n") {
				t.Errorf("the application was told %v", env)
			}
		}
		if c.verify == "" && seen.get() != nil {
			t.Errorf("demand %d: the request reached the application", c.demand)
		}
	}
}

// A certificate replaced while clients come and go fails none of them; one that
// cannot be used is told once and replaces nothing.
func TestCertificatesAreReplacedUnderLoad(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	g.hire(0, text("hello"))
	old, _ := g.secure(ca, nil)
	serial := func() int64 {
		c, secure := g.secure(ca, nil)
		c.say(get)
		if _, body := c.hear("GET"); body != "hello" {
			t.Fatalf("got %q", body)
		}
		_ = c.Close()
		return secure.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	file := ca.issue("example", 8, "example.org")
	for limit := time.Now().Add(5 * time.Second); serial() != 8; {
		if time.Now().After(limit) {
			t.Fatal("the new certificate is not served")
		}
	}
	check(t, os.WriteFile(file, []byte("not a certificate"), 0o600))
	for limit := time.Now().Add(5 * time.Second); !strings.Contains(g.log.String(), file+" holds no certificate"); {
		if time.Now().After(limit) {
			t.Fatalf("the log does not name the broken file:\n%s", g.log)
		}
		if serial() != 8 {
			t.Fatal("a broken file took the good certificate out of service")
		}
	}
	for range 20 {
		serial() // many looks at the broken file later
	}
	if n := strings.Count(g.log.String(), "[ERROR]"); n != 1 {
		t.Errorf("the broken file was told %d times:\n%s", n, g.log)
	}
	g.log.reset()
	ca.issue("example", 9, "example.org")
	for limit := time.Now().Add(5 * time.Second); serial() != 9; {
		if time.Now().After(limit) {
			t.Fatal("the repaired certificate is not served")
		}
	}
	old.say(get) // a connection from before all that
	if _, body := old.hear("GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
}

// Clients that begin a handshake and stop cost a slot until their time is
// over, those that say nothing none, and neither keeps others out.
func TestSlowHandshakes(t *testing.T) {
	g, ca := newTLSRig(t, func(c *Config) { c.Patience, c.TLS.Handshakes = 500*time.Millisecond, 1 })
	g.hire(0, text("hello"))
	for range 20 {
		g.dial() // says nothing
	}
	c, _ := g.secure(ca, nil)
	c.say(get)
	if _, body := c.hear("GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
	stopped := g.dial()
	stopped.say("\x16\x03\x01") // the slot is its own until its time is over
	if _, err := stopped.in.ReadByte(); err == nil {
		t.Error("a handshake that stopped was answered")
	}
	c, _ = g.secure(ca, nil)
	c.say(get)
	if _, body := c.hear("GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
}

// A client that speaks plain HTTP to a TLS port is told so in words it reads.
func TestPlainHTTPWhereTLSIsSpoken(t *testing.T) {
	g, _ := newTLSRig(t, nil)
	c := g.dial()
	c.say(get)
	if r, body := c.hear("GET"); r.StatusCode != http.StatusBadRequest || !strings.Contains(body, "https") {
		t.Errorf("got %d %q", r.StatusCode, body)
	}
	c.closed()
}

// A drain answers what has been asked over TLS and closes the rest with an
// orderly end.
func TestDrainOverTLS(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	release := make(chan bool)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		if env["PATH_INFO"] == "/slow" {
			<-release
		}
		text("hello")(s, id, env, body, fd)
	})
	idle, _ := g.secure(ca, nil)
	idle.say(get)
	idle.hear("GET")
	slow, _ := g.secure(ca, nil)
	slow.say("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	silent := g.dial()
	check(t, g.master.Send(DrainOrder(0)))
	idle.closed()
	if _, err := silent.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("a connection without handshake ended with %v", err)
	}
	close(release)
	if r, body := slow.hear("GET"); body != "hello" || !r.Close {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	slow.closed()
	_ = slow.Close()
	g.expect(FactDrained)
}

// A client that is gone while its request waits costs no worker, over TLS as
// without.
func TestRequestsOverTLSOfClientsThatLeft(t *testing.T) {
	g, ca := newTLSRig(t, nil)
	gone, secure := g.secure(ca, nil)
	gone.say("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
	stays, _ := g.secure(ca, nil)
	stays.say("GET /stays HTTP/1.1\r\nHost: x\r\n\r\n")
	waitFor(t, func() bool { return g.board.Loop(0).Queued() == 2 })
	check(t, secure.NetConn().(*net.TCPConn).SetLinger(0)) // reset
	check(t, secure.NetConn().Close())
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 1 })
	paths := make(chan string, 2)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		paths <- env["PATH_INFO"].(string)
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("ok")})
	})
	stays.hear("GET")
	if first := <-paths; first != "/stays" || len(paths) > 0 {
		t.Errorf("the worker saw %q and %d more", first, len(paths))
	}
}
