package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// needFrameworks ends the test where Flask and Django are not installed; in CI
// that is a failure.
func needFrameworks(t *testing.T) {
	t.Helper()
	switch {
	case world.frameworks == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(world.frameworks)
	default:
		t.Skipf("Flask or Django is missing; make the virtual environment with test/install: %v", world.frameworks)
	}
}

// wantsJSON compares what a response holds with a value.
func wantsJSON(t *testing.T, what, body, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Errorf("%s: got %q, want JSON", what, brief(body))
		return
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s: got %s, want %s", what, body, want)
	}
}

// form makes a multipart body with one field and one file.
func form(t *testing.T, field, value string, file []byte) (kind string, body io.Reader) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	err := w.WriteField(field, value)
	if err == nil {
		var part io.Writer
		if part, err = w.CreateFormFile("file", "notes.bin"); err == nil {
			_, err = part.Write(file)
		}
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), &b
}

// fileOf makes a file of some size and returns its path and content.
func fileOf(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func withCookies(t *testing.T, s *service) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.web.Jar = jar
}

func TestTheDemoApplication(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "wsgiref.simple_server:demo_app"})
	status, body := s.get("/path?a=b")
	if status != 200 || !strings.HasPrefix(body, "Hello world!\n") {
		t.Errorf("got %d %q", status, brief(body))
	}
	for _, want := range []string{"PATH_INFO = '/path'", "QUERY_STRING = 'a=b'", "REQUEST_METHOD = 'GET'", "REMOTE_ADDR = '127.0.0.1'",
		"SERVER_NAME = ", "SERVER_PORT = ", "wsgi.version = (1, 0)", "wsgi.run_once = False"} {
		if !strings.Contains(body, want) {
			t.Errorf("the environ lacks %s", want)
		}
	}
	s.stop()
}

func TestFlask(t *testing.T) {
	t.Parallel()
	needFrameworks(t)
	eachWSGIClass(t, testFlask)
}

func testFlask(t *testing.T, c class) {
	path, content := fileOf(t, 300_000)
	s := serve(t, launch{app: "flaskapp:app", args: c.with("-w", "2"), env: []string{"E2E_FILE=" + path}})
	withCookies(t, s)
	s.wants("/", 200, "hello from flask")
	s.wants("/stream", 200, "0\n1\n2\n")
	s.wants("/file", 200, string(content))
	for n := range 5 {
		s.wants("/count", 200, fmt.Sprint(n+1))
	}
	_, body := s.get("/json/x?q=1")
	wantsJSON(t, "GET /json", body, `{"name": "x", "args": {"q": "1"}}`)
	_, body = s.post("/json", "application/json", strings.NewReader(`{"a": [1, "ü"]}`))
	wantsJSON(t, "POST /json", body, `{"got": {"a": [1, "ü"]}}`)
	_, body = s.post("/form", "application/x-www-form-urlencoded", strings.NewReader("a=1&a=2&b=%C3%BC"))
	wantsJSON(t, "POST /form", body, `{"fields": {"a": ["1", "2"], "b": ["ü"]}, "file": null}`)
	kind, upload := form(t, "note", "n", content)
	_, body = s.post("/form", kind, upload)
	wantsJSON(t, "POST of a file", body, `{"fields": {"note": ["n"]}, "file": ["notes.bin", 300000]}`)

	request, err := http.NewRequest("GET", s.url("/file"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes=100-199")
	response, err := s.web.Do(request)
	if status, body := s.read(response, err); status != 206 || body != string(content[100:200]) {
		t.Errorf("a range: got %d with %d bytes, want 206 with 100", status, len(body))
	}
	if status, _ := s.get("/nowhere"); status != 404 {
		t.Errorf("GET /nowhere: got %d, want 404", status)
	}
	s.allow("Traceback (most recent", "ERROR in app")
	if status, _ := s.get("/fail"); status != 500 {
		t.Errorf("GET /fail: got %d, want 500", status)
	}
	s.stop()

	s = serve(t, launch{app: `flaskapp:create_app("made to order")`, args: c.args})
	s.wants("/", 200, "made to order")
	s.stop()
}
