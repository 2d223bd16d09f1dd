package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// eachWSGIClass runs a test for every class of workers for WSGI applications.
func eachWSGIClass(t *testing.T, test func(t *testing.T, c class)) {
	t.Helper()
	eachClass(t, 0, func(t *testing.T, c class) {
		if c.app == "plain" {
			test(t, c)
		}
	})
}

// with returns the options of the class and others.
func (c class) with(args ...string) []string { return append(append([]string{}, c.args...), args...) }

// The small frameworks, which leave more to the server than the large ones.
func TestBottleAndFalcon(t *testing.T) {
	t.Parallel()
	if _, err := output(world.root, world.python, "-c", "import bottle, falcon"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("Bottle or Falcon is missing; make the virtual environment with test/install")
	}
	eachWSGIClass(t, func(t *testing.T, c class) {
		for _, app := range []string{"bottleapp:app", "falconapp:app"} {
			path, content := fileOf(t, 300_000)
			s := serve(t, launch{app: app, args: c.args, env: []string{"E2E_FILE=" + path}})
			s.wants("/", 200, "hello")
			s.wants("/stream", 200, "0\n1\n2\n")
			s.wants("/file", 200, string(content))
			_, body := s.post("/json", "application/json", strings.NewReader(`{"a": [1, "ü"]}`))
			wantsJSON(t, app+" POST /json", body, `{"got": {"a": [1, "ü"]}}`)
			_, body = s.post("/size", "application/octet-stream", bytes.NewReader(content))
			wantsJSON(t, app+" POST /size", body, `{"size": 300000}`)
			if status, _ := s.get("/nowhere"); status != 404 {
				t.Errorf("%s GET /nowhere: got %d, want 404", app, status)
			}
			s.stop()
		}
	})
}

// What wsgiref.validate objects to, it raises, and the test sees a 500.
func TestTheValidatorHasNothingToSay(t *testing.T) {
	t.Parallel()
	eachWSGIClass(t, func(t *testing.T, c class) {
		s := serve(t, launch{app: "strict", args: c.args})
		s.wants("/", 200, "list")
		s.wants("/stream?a=b", 200, "one two")
		s.wants("/write", 200, "written and returned")
		s.wants("/empty", 204, "")
		if status, body := s.get("/wrapped"); status != 200 || !strings.HasPrefix(body, `"""Every way of PEP 3333`) {
			t.Errorf("GET /wrapped: got %d %q", status, brief(body))
		}
		for _, size := range []int{0, 10, 100_000} {
			status, body := s.post("/echo", "application/octet-stream", strings.NewReader(strings.Repeat("x", size)))
			if status != 200 || body != strings.Repeat("x", size) {
				t.Errorf("POST of %d bytes: got %d with %d bytes", size, status, len(body))
			}
		}
		s.strictly()
		s.stop()
	})
}

// strictly asks for what both validators must stand: a body of unknown length,
// HEAD, a whole file, and an error.
func (s *service) strictly() {
	s.t.Helper()
	sent := strings.Repeat("0123456789", 30_000)
	c := s.client()
	c.send(fmt.Sprintf("POST /lines?echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(sent), sent))
	c.wants("POST", 200, sent)
	c.send("HEAD /?hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.wants("HEAD", 200, "")
	s.allow("Traceback (most recent", "failed:")
	c.send("GET /raise?raises HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := c.receive("GET"); a.status != 500 || a.close {
		s.t.Errorf("an error: got %d, close %v; want 500 on a connection that goes on", a.status, a.close)
	}
	c.send("GET /?hello HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := c.receive("GET"); a.status != 200 {
		s.t.Errorf("afterwards: got %d", a.status)
	}
}

// The same with a validator of ASGI between gateway and application, on both loops.
func TestTheValidatorOfASGIHasNothingToSay(t *testing.T) {
	t.Parallel()
	needASGI(t)
	for _, loop := range []string{"asyncio", "uvloop"} {
		path := filepath.Join(world.root, "python/tests/apps")
		s := serve(t, launch{app: "asgi_gallery:shop", args: []string{"--pythonpath", path, "--asgi-loop", loop}})
		s.wants("/?hello", 200, "Hello, world!")
		s.wants("/?bare", 204, "")
		if status, body := s.get("/?large_pieces"); status != 200 || len(body) < 100_000 {
			t.Errorf("large pieces: got %d with %d bytes", status, len(body))
		}
		for _, size := range []int{0, 10, 100_000} {
			sent := strings.Repeat("x", size)
			if status, body := s.post("/?echo", "application/octet-stream", strings.NewReader(sent)); status != 200 || body != sent {
				t.Errorf("POST of %d bytes: got %d with %d bytes", size, status, len(body))
			}
		}
		s.strictly()
		s.stop()
	}
}

// Who develops an application saves, and sees: the new page, the traceback, the
// healed page, and even ASGI where WSGI was.
func TestReloadShowsWhatWasSaved(t *testing.T) {
	t.Parallel()
	const wsgi = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"
	const asgi = "async def application(scope, receive, send):\n    await send({'type': 'http.response.start', 'status': 200})\n" +
		"    await send({'type': 'http.response.body', 'body': b'%s'})\n"
	for _, workers := range []string{"1", "3"} {
		t.Run(workers, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "edited.py")
			save := func(text string) {
				t.Helper()
				if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(file+".new", file); err != nil {
					t.Fatal(err)
				}
			}
			save(fmt.Sprintf(wsgi, "first"))
			s := serve(t, launch{app: "edited", args: []string{"--reload", "-w", workers, "--chdir", dir}})
			s.allow("SyntaxError", "Traceback", "  File", "    ")
			shows := func(status int, part string) {
				t.Helper()
				saved := time.Now()
				s.until("the page to show "+part, func() bool {
					got, body := s.get("/")
					return got == status && strings.Contains(body, part)
				})
				t.Logf("%s: %v after it was saved", part, time.Since(saved))
			}
			shows(200, "first")
			save(fmt.Sprintf(wsgi, "other"))
			shows(200, "other")
			save("def application(environ, start_response:\n")
			shows(500, "SyntaxError")
			save(fmt.Sprintf(asgi, "async"))
			shows(200, "async")
			save("1 +\n")
			shows(500, "SyntaxError")
			save(fmt.Sprintf(wsgi, "healed"))
			shows(200, "healed")
			s.stop()
		})
	}
}
