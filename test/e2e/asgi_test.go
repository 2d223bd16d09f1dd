package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// needASGI ends the test where the ASGI frameworks are not installed; in CI
// that is a failure.
func needASGI(t *testing.T) {
	t.Helper()
	said, err := output(t.TempDir(), world.python, "-c", "import fastapi, starlette, multipart, quart, litestar, falcon, uvloop")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %s", err, said)
	default:
		t.Skipf("an ASGI framework is missing; make the virtual environment with test/install: %v", err)
	}
}

// An application is recognised as ASGI without an option, on both loops.
func TestStarlette(t *testing.T) {
	t.Parallel()
	needASGI(t)
	for _, loop := range []string{"asyncio", "uvloop"} {
		path, content := fileOf(t, 300_000)
		s := serve(t, launch{app: "starletteapp:app", args: []string{"-w", "2", "--asgi-loop", loop}, env: []string{"E2E_FILE=" + path}})
		s.note("started")
		s.wants("/", 200, "hello from starlette, connected, nobody")
		s.wants("/file", 200, string(content))
		s.wants("/thread", 200, "from a thread")
		if status, body := s.get("/static/starletteapp.py"); status != 200 || !strings.Contains(body, "def fail") {
			t.Errorf("GET /static: got %d %q", status, brief(body))
		}
		kind, upload := form(t, "note", "n", content)
		_, body := s.post("/form", kind, upload)
		wantsJSON(t, "the form", body, `{"note": "n", "size": 300000}`)
		for _, size := range []int{0, 1000, 5_000_000} {
			_, whole := fileOf(t, size)
			// A reader without a length is sent chunked.
			_, body = s.post("/upload", "application/octet-stream", io.MultiReader(strings.NewReader(string(whole))))
			wantsJSON(t, "the upload", body, fmt.Sprintf(`{"size": %d, "sha256": "%x"}`, size, sha256.Sum256(whole)))
		}
		s.allow("Traceback (most recent", "request 0x")
		if status, _ := s.get("/fail"); status != 500 {
			t.Errorf("GET /fail: got %d, want 500", status)
		}
		s.stop()
		if !s.noted("cleaned") {
			t.Error("the lifespan's shutdown did not run")
		}
	}
}

// What middleware that wraps responses does to bodies and contexts.
func TestStarletteMiddleware(t *testing.T) {
	t.Parallel()
	needASGI(t)
	s := serve(t, launch{app: "starletteapp:named", args: []string{"-k", "uvicorn.workers.UvicornWorker"}})
	for _, user := range []string{"ann", "ben"} {
		request, err := http.NewRequest("GET", s.url("/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-User", user)
		response, err := s.web.Do(request)
		if _, body := s.read(response, err); !strings.HasSuffix(body, user) || response.Header.Get("X-Named") != "nobody" && response.Header.Get("X-Named") != user {
			t.Errorf("got %q and X-Named %q, want %s", body, response.Header.Get("X-Named"), user)
		}
	}
	s.wants("/", 200, "hello from starlette, connected, nobody") // no context is left of the others
	s.stop()
}

// Clients that leave are noticed: by a stream at its next part, by a handler that asks.
func TestStarletteNoticesClientsThatLeave(t *testing.T) {
	t.Parallel()
	needASGI(t)
	s := serve(t, launch{app: "starletteapp:app"})
	c, response := s.begin("/events")
	first := make([]byte, len("data: 0\n\ndata: 1\n\n"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "data: 0\n\ndata: 1\n\n" {
		t.Fatalf("got %q, %v", first, err)
	}
	c.conn.Close()
	s.note("events-ended")
	c = s.client()
	c.send("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n")
	s.wants("/", 200, "hello from starlette, connected, nobody")
	c.conn.Close()
	s.note("noticed")
	s.stop()
}

// A background task is part of its request: a stop lets it finish.
func TestBackgroundTasksAreFinished(t *testing.T) {
	t.Parallel()
	needASGI(t)
	s := serve(t, launch{app: "starletteapp:app"})
	s.wants("/later", 200, "accepted")
	s.stop()
	if !s.noted("background") || !s.noted("cleaned") {
		t.Error("the stop did not wait for the background task and the lifespan's shutdown")
	}
}

func TestAFailedStartupIsAFailedBoot(t *testing.T) {
	t.Parallel()
	needASGI(t)
	s := start(t, launch{app: "starletteapp:app", env: []string{"E2E_NO_START=1"}})
	s.allow("Traceback (most recent", "indrik: ", "worker ended")
	s.expect(3)
	if all := s.stderr.String(); !strings.Contains(all, "RuntimeError: the database is away") {
		t.Errorf("the reason is not in the log:\n%s", all)
	}
}

func TestOtherASGIFrameworks(t *testing.T) {
	t.Parallel()
	needASGI(t)
	for _, name := range []string{"fastapi", "quart", "litestar", "falcon"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, launch{app: "asgiapps:" + name + "()"})
			s.wants("/", 200, "hello")
			s.wants("/stream", 200, "0\n1\n2\n")
			_, body := s.post("/json", "application/json", strings.NewReader(`{"a": 1, "b": 41}`))
			wantsJSON(t, "POST /json", body, `{"sum": 42}`)
			s.allow("Traceback (most recent", "request 0x", "Exception", "ERROR")
			if status, _ := s.get("/fail"); status != 500 {
				t.Errorf("GET /fail: got %d, want 500", status)
			}
			s.stop()
		})
	}
}
