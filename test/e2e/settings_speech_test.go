package e2e

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shake makes a handshake with a service that speaks TLS with these options.
func shake(t *testing.T, client *tls.Config, args ...string) (tls.ConnectionState, error) {
	t.Helper()
	cert, key := certificate(t, t.TempDir(), "c.pem", "k.pem")
	s := serve(t, launch{app: "plain", args: append(args, "--certfile", cert, "--keyfile", key)})
	s.allow("handshake")
	client.InsecureSkipVerify = true // the certificate is not what is looked at
	conn := tls.Client(s.dial(), client)
	err := conn.Handshake()
	state := conn.ConnectionState()
	s.stop()
	return state, err
}

func proveHTTPProtocols(t *testing.T) {
	for list, want := range map[string]string{"h1": "http/1.1", "h2,h1": "h2"} {
		state, err := shake(t, &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, "--http-protocols", list)
		if err != nil || state.NegotiatedProtocol != want {
			t.Errorf("%s: got %q, %v", list, state.NegotiatedProtocol, err)
		}
	}
}

func proveCiphers(t *testing.T) {
	suite := tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	all := &tls.Config{MaxVersion: tls.VersionTLS12}
	state, err := shake(t, all, "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384")
	if err != nil || state.CipherSuite != suite {
		t.Errorf("got %s, %v", tls.CipherSuiteName(state.CipherSuite), err)
	}
}

func proveTLSMinVersion(t *testing.T) {
	old := &tls.Config{MaxVersion: tls.VersionTLS12}
	if _, err := shake(t, old.Clone()); err != nil {
		t.Errorf("TLS 1.2 by default: %v", err)
	}
	if _, err := shake(t, old.Clone(), "--tls-min-version", "1.3"); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
}

// proveTLSHandshakes leaves one handshake in the middle: the next one waits.
func proveTLSHandshakes(t *testing.T) {
	cert, key := certificate(t, t.TempDir(), "c.pem", "k.pem")
	s := serve(t, launch{app: "plain", args: []string{"--tls-handshakes", "1", "--certfile", cert, "--keyfile", key}})
	s.allow("handshake")
	first := s.dial()
	if _, err := io.WriteString(first, "\x16\x03\x01"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	second := tls.Client(s.dial(), &tls.Config{InsecureSkipVerify: true})
	time.Sleep(200 * time.Millisecond) // the first must be in the middle, and nothing tells when
	go func() { done <- second.Handshake() }()
	select {
	case err := <-done:
		t.Errorf("a second handshake was made: %v", err)
	case <-time.After(500 * time.Millisecond):
		_ = first.Close()
		if err := <-done; err != nil {
			t.Errorf("after the first: %v", err)
		}
	}
	s.stop()
}

// proveHTTP2Settings reads the SETTINGS frame that a connection begins with (RFC
// 9113, section 6.5).
func proveHTTP2Settings(t *testing.T) {
	want := map[uint16]uint32{3: 7, 4: 70000, 5: 20000, 6: 5000 + 10*32} // for 10 fields 32 bytes each come on top (section 6.5.2)
	s := serve(t, launch{app: "plain", args: []string{
		"--http2-cleartext", "prior-knowledge", "--http2-max-concurrent-streams", "7", "--http2-initial-window-size", "70000",
		"--http2-max-frame-size", "20000", "--http2-max-header-list-size", "5000",
	}})
	c := s.client()
	c.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	head := make([]byte, 9)
	if _, err := io.ReadFull(c.in, head); err != nil || head[3] != 4 {
		t.Fatalf("the first frame is of type %d, %v", head[3], err)
	}
	frame := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(c.in, frame); err != nil {
		t.Fatal(err)
	}
	for ; len(frame) >= 6; frame = frame[6:] {
		id, value := binary.BigEndian.Uint16(frame), binary.BigEndian.Uint32(frame[2:])
		if expected, there := want[id]; there && value == expected {
			delete(want, id)
		}
	}
	if len(want) > 0 {
		t.Errorf("not announced: %v", want)
	}
	s.stop()
}

// conversing is a connection on which a WebSocket is open.
func conversing(t *testing.T, args ...string) (*service, *client) {
	t.Helper()
	s := serve(t, launch{app: "effects:conversation", args: args})
	c := s.client()
	c.send(upgrade("none"))
	if head := c.head("GET"); head.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake got %s", head.Status)
	}
	return s, c
}

func proveWSMaxSize(t *testing.T, option string) {
	s, c := conversing(t, option, "10")
	c.send("\x81\x8b\x00\x00\x00\x00hello world") // 11 bytes of text, masked with zeros
	frame := make([]byte, 4)
	if _, err := io.ReadFull(c.in, frame); err != nil || frame[0] != 0x88 || binary.BigEndian.Uint16(frame[2:]) != 1009 {
		t.Errorf("got %x, %v; want a close with 1009", frame, err)
	}
	s.allow("request failed")
	s.stop()
}

// provePings hears a ping, gives no answer, and is left.
func provePings(t *testing.T) {
	s, c := conversing(t, "--ws-ping-interval", "1", "--ws-ping-timeout", "1")
	began := time.Now()
	if opcode, err := c.in.ReadByte(); err != nil || opcode != 0x89 {
		t.Fatalf("got %x, %v; want a ping", opcode, err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the ping came after %v", took)
	}
	_, _ = io.Copy(io.Discard, c.in) // to the end
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("given up after %v", took)
	}
	s.allow("request failed")
	s.stop()
}

func proveLifespan(t *testing.T) {
	s := serve(t, launch{app: "effects:stillborn", args: []string{"--asgi-lifespan", "off"}})
	s.wants("/", 200, "asgi")
	s.stop()
	s = refused(t, launch{app: "effects:stillborn"}, 3)
	s.stderr.await(t, 1, "not today")
}

func proveDisconnectGrace(t *testing.T) {
	s := serve(t, launch{app: "effects:conversation", args: []string{"--asgi-disconnect-grace-period", "0"}})
	c := s.client()
	c.send("GET /sleep/it HTTP/1.1\r\nHost: x\r\n\r\n")
	s.note("it")
	_ = c.conn.Close()
	began := time.Now()
	s.note("it-cancelled")
	if took := time.Since(began); took > 2500*time.Millisecond { // the default is 3 s
		t.Errorf("cancelled after %v", took)
	}
	s.stop()
}

func provePaste(t *testing.T) {
	needModules(t, "paste.deploy")
	dir := files(t, map[string]string{
		"site.ini":  "[app:main]\nuse = call:pasted:make\n[app:other]\nuse = call:pasted:make\nsay = other\n",
		"pasted.py": "def make(conf, say='main'):\n    def app(environ, start_response):\n        start_response('200 OK', [])\n        return [(say + conf['mode']).encode()]\n    return app\n",
	})
	for file, want := range map[string]string{"site.ini": "main one", "site.ini#other": "other one"} {
		s := serve(t, launch{dir: dir, args: []string{"--paste", file, "--paste-global", "mode= one"}})
		s.wants("/", 200, strings.Replace(want, " ", "", 1))
		s.stop()
	}
}

func proveProcName(t *testing.T) {
	fake := filepath.Join(world.root, "test/e2e/testdata/fake")
	s := serve(t, launch{app: "plain", args: []string{"--name", "shop", "--pythonpath", fake}})
	s.wants("/env/E2E_TITLE", 200, "indrik: worker 0 [shop]")
	s.stop()
}

func proveNoControlSocket(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, launch{app: "plain", args: []string{"--no-control-socket"}, env: []string{"XDG_RUNTIME_DIR=" + dir, "HOME=" + dir}})
	s.wants("/", 200, "hello")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
	s.stop()
}
