package e2e

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// needModules ends the test where a Python package is not installed; in CI that
// is a failure.
func needModules(t *testing.T, names ...string) {
	t.Helper()
	if _, err := output(world.root, world.python, "-c", "import "+strings.Join(names, ", ")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("make the virtual environment with test/install: %v", err)
	}
}

// converse makes a client of the package websockets check these things.
func (s *service) converse(scheme string, checks ...string) {
	s.t.Helper()
	cmd := s.conversation(scheme, checks...)
	cmd.Stdout = nil
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Errorf("conversations %v: %v\n%s", checks, err, out)
	}
}

func (s *service) conversation(scheme string, checks ...string) *exec.Cmd {
	s.t.Helper()
	_, address := s.listener(0)
	args := append([]string{filepath.Join(filepath.Dir(world.apps), "clients", "conversations.py"), scheme + "://" + address}, checks...)
	return exec.Command(world.python, args...)
}

// echoChecks are what every echo must stand, whatever it is made with.
func echoChecks() []string {
	return []string{"echo", "plain_echo", "compression", "fragments", "pings", "many", "closes"}
}

func TestWebSocketsOfASGIApplications(t *testing.T) {
	t.Parallel()
	for app, module := range map[string]string{"wsbare": "", "wsstarlette": "starlette"} {
		t.Run(app, func(t *testing.T) {
			needModules(t, "websockets")
			if module != "" {
				needModules(t, module)
			}
			s := serve(t, launch{app: app + ":app", args: []string{"-w", "2"}})
			s.wants("/", 200, "hello")
			s.converse("ws", append(echoChecks(), "subprotocols", "floods", "declined", "denied", "too_big", "crowd")...)
			s.wants("/", 200, "hello")
			s.stop()
		})
	}
}

func TestWebSocketsOverTLS(t *testing.T) {
	t.Parallel()
	needModules(t, "websockets")
	cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
	s := serve(t, launch{app: "wsbare:app", args: []string{"--certfile", cert, "--keyfile", key}})
	s.converse("wss", append(echoChecks(), "subprotocols", "floods", "declined", "denied", "too_big")...)
	s.stop()
}

// Flask-Sock works as under Gunicorn, with each class that has more than one
// seat, over TLS too.
func TestFlaskSock(t *testing.T) {
	t.Parallel()
	eachClass(t, 8, func(t *testing.T, c class) {
		if c.name == "sync" || c.name == "asgi" {
			t.Skip("has no connections to give away")
		}
		needModules(t, "websockets", "flask_sock")
		s := serve(t, launch{app: "wsflask:app", args: c.args})
		s.wants("/", 200, "hello")
		s.converse("ws", "echo", "plain_echo", "fragments", "pings", "many", "closes")
		s.wants("/", 200, "hello")
		s.stop()
		cert, key := certificate(t, t.TempDir(), "cert.pem", "key.pem")
		s = serve(t, launch{app: "wsflask:app", args: append([]string{"--certfile", cert, "--keyfile", key}, c.args...)})
		s.converse("wss", "echo", "fragments", "closes")
		s.stop()
	})
}

// waiting is a client that has a conversation and waits for its end.
func (s *service) waiting() (said *bufio.Reader) {
	s.t.Helper()
	cmd := s.conversation("ws", "waits_for_close")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	said = bufio.NewReader(out)
	for _, want := range []string{"waits_for_close\n", "open\n"} {
		if line, err := said.ReadString('\n'); err != nil || line != want {
			s.t.Fatalf("the client said %q, %v; want %q", line, err, want)
		}
	}
	return said
}

// Whoever ends a conversation on our side, the client learns why, and nobody
// else notices.
func TestConversationsEndWithACode(t *testing.T) {
	t.Parallel()
	needModules(t, "websockets")
	for _, c := range []struct {
		name string
		do   func(s *service)
		want string
		ends bool
	}{
		{"worker killed", func(s *service) { s.kill(s.children("worker")[0], syscall.SIGKILL) }, "closed 1011\n", false},
		{"worker retired", func(s *service) { s.kill(s.children("worker")[0], syscall.SIGTERM) }, "closed 1012\n", false},
		{"service stopped", func(s *service) { s.kill(s.pid, syscall.SIGTERM) }, "closed 1012\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, launch{app: "wsbare:app"})
			s.allow("worker ended")
			said := s.waiting()
			began := time.Now()
			c.do(s)
			if line, err := said.ReadString('\n'); err != nil || line != c.want {
				t.Errorf("the client said %q, %v; want %q", line, err, c.want)
			}
			if c.ends {
				s.expect(0)
			} else {
				s.converse("ws", "echo") // with the worker's successor
				s.stop()
			}
			if took := time.Since(began); took > patience {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Workers have a last word about each conversation. At a stop nobody may be left
// to hear it, and that must keep none of them.
func TestStopWithManyConversationsIsSwift(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "wsbare:app"})
	const many = 900 // more than a reply socket holds
	for range many {
		c := s.dial()
		if _, err := io.WriteString(c, "GET /late HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 101 {
			t.Fatalf("the handshake got %v, %v", r, err)
		}
	}
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}

// A conversation is one line in the access log, at its end.
func TestAccessLogOfConversations(t *testing.T) {
	t.Parallel()
	needModules(t, "websockets")
	s := serve(t, launch{app: "wsbare:app", args: []string{"--access-logfile", "-"}})
	s.converse("ws", "pings", "declined")
	s.stop()
	out := strings.Join(s.stdout.end(t), "\n")
	for _, want := range []string{`"GET / HTTP/1.1" 101 5 `, `"GET /declined HTTP/1.1" 403 `} {
		if strings.Count(out, want) != 1 {
			t.Errorf("the access log has not one %s:\n%s", want, out)
		}
	}
}

// The gateway's memory does not grow with what goes through.
func TestConversationsOfLargeMessagesAreFrugal(t *testing.T) {
	t.Parallel()
	needModules(t, "websockets")
	s := serve(t, launch{app: "wsbare:app"})
	check := s.frugal()
	s.converse("ws", "floods", "echo", "plain_echo", "floods")
	check("four conversations of 64 MB")
	s.stop()
}
