package static

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// old is when the files of a test were last changed.
var old = time.Date(2024, 2, 3, 4, 5, 6, 7_000_000, time.UTC)

// plant makes files with these contents in a new directory.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	need(t, os.MkdirAll(filepath.Dir(path), 0o755))
	need(t, os.WriteFile(path, []byte(content), 0o644))
	need(t, os.Chtimes(path, old, old))
}

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, c Config) *Site {
	t.Helper()
	s, err := New(c)
	need(t, err)
	t.Cleanup(s.Close)
	return s
}

func at(prefix, dir string) []Mount { return []Mount{{prefix, dir}} }

// ask sends one request; fields are names and values in turn.
func ask(s *Site, method, target string, fields ...string) *httptest.ResponseRecorder {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		panic(err)
	}
	r := &http.Request{Method: method, URL: u, Header: http.Header{}}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var site = map[string]string{
	"app.js": "js", "a b.txt": "blank", "ünï.txt": "umlaut", "data": "bytes", "big.TXT": "0123456789",
	"docs/index.html": "index", "empty/x": "x", ".env": "secret", ".well-known/security.txt": "contact", "docs/.git/config": "secret",
}

func TestPaths(t *testing.T) {
	dir := plant(t, site)
	outside := plant(t, map[string]string{"secret": "secret"})
	need(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "leak")))
	need(t, os.Symlink(outside, filepath.Join(dir, "leaks")))
	need(t, os.Symlink("../"+filepath.Base(outside)+"/secret", filepath.Join(dir, "up")))
	need(t, os.Symlink("app.js", filepath.Join(dir, "alias.js")))
	need(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	s := open(t, Config{Mounts: at("/static/", dir)})
	for _, c := range []struct {
		target string
		status int
		body   string
	}{
		{"/static/app.js", 200, "js"},
		{"/static/app.js?v=1", 200, "js"},
		{"/st%61tic/a%70p.js", 200, "js"},
		{"/static/a%20b.txt", 200, "blank"},
		{"/static/%C3%BCn%C3%AF.txt", 200, "umlaut"},
		{"/static/alias.js", 200, "js"},
		{"/static/docs/", 200, "index"},
		{"/static/docs/index.html", 200, "index"},
		{"/static/.well-known/security.txt", 200, "contact"},
		{"/static/docs", 301, ""},
		{"/static/docs?q=1", 301, ""},
		{"/static", 404, ""},
		{"/static/", 404, ""},
		{"/static/empty/", 404, ""},
		{"/static/empty", 404, ""},
		{"/static/app.js/", 404, ""},
		{"/static/app.js/x", 404, ""},
		{"/static/nothing", 404, ""},
		{"/static/" + strings.Repeat("n", 300), 404, ""},
		{"/static/.env", 404, ""},
		{"/static/docs/.git/config", 404, ""},
		{"/static/docs/.well-known/x", 404, ""},
		{"/static/../static/app.js", 404, ""},
		{"/static/./app.js", 404, ""},
		{"/static//app.js", 404, ""},
		{"/static/docs//index.html", 404, ""},
		{"/static/docs/../app.js", 404, ""},
		{"/static/%2e%2e/app.js", 404, ""},
		{"/static/docs%2findex.html", 404, ""},
		{"/static/docs%2Findex.html", 404, ""},
		{"/static%2fapp.js", 404, ""},
		{"/static/docs%5cindex.html", 404, ""},
		{`/static/docs\index.html`, 404, ""},
		{"/static/app.js%00", 404, ""},
		{"/static/app.js%00.txt", 404, ""},
		{"/static/app.js%0a", 404, ""},
		{"/static/leak", 404, ""},
		{"/static/leaks/secret", 404, ""},
		{"/static/up", 404, ""},
		{"/static/fifo", 404, ""},
		{"/staticapp.js", 404, ""},
		{"/other", 404, ""},
	} {
		w := ask(s, "GET", c.target)
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s: got %d %q, want %d %q", c.target, w.Code, w.Body, c.status, c.body)
		}
		if c.status != 200 && (w.Header().Get("Etag") != "" || w.Header().Get("Cache-Control") != "") {
			t.Errorf("%s: a refusal says %v", c.target, w.Header())
		}
	}
	if to := ask(s, "GET", "/static/docs?q=1").Header().Get("Location"); to != "docs/?q=1" {
		t.Errorf("a directory leads to %q", to)
	}
}

// A path that begins with two slashes must not lead the client to another host.
func TestNoRedirectLeavesTheHost(t *testing.T) {
	dir := plant(t, map[string]string{"evil.example/index.html": "x", "a:b/index.html": "y"})
	s := open(t, Config{Mounts: at("/", dir), Fallthrough: true})
	for target, want := range map[string]string{"/evil.example": "evil.example/", "//evil.example": "", "/a:b": "./a:b/"} {
		u := &url.URL{Path: target}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, &http.Request{Method: "GET", URL: u, Header: http.Header{}})
		if to := w.Header().Get("Location"); to != want {
			t.Errorf("%s leads to %q, want %q", target, to, want)
		}
	}
}

func TestMethods(t *testing.T) {
	s := open(t, Config{Mounts: at("/s", plant(t, site))})
	if w := ask(s, "HEAD", "/s/big.TXT", "Range", "bytes=0-1"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "10" {
		t.Errorf("HEAD: %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := ask(s, "OPTIONS", "/s/app.js"); w.Code != 204 || w.Header().Get("Allow") != allowed {
		t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "get"} {
		if w := ask(s, method, "/s/app.js"); w.Code != 405 || w.Header().Get("Allow") != allowed {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

func TestConditions(t *testing.T) {
	s := open(t, Config{Mounts: at("/s", plant(t, site)), MaxAge: time.Hour})
	first := ask(s, "GET", "/s/big.TXT").Header()
	tag, changed := first.Get("Etag"), first.Get("Last-Modified")
	if strings.HasPrefix(tag, "W/") || changed != "Sat, 03 Feb 2024 04:05:06 GMT" || first.Get("Cache-Control") != "public, max-age=3600" {
		t.Fatalf("got %v", first)
	}
	later := old.Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", tag, 304},
		{"If-None-Match", `"x", W/` + tag, 304},
		{"If-None-Match", "*", 304},
		{"If-None-Match", `"x"`, 200},
		{"If-Modified-Since", changed, 304},
		{"If-Modified-Since", later, 304},
		{"If-Modified-Since", old.Add(-time.Hour).Format(http.TimeFormat), 200},
		{"If-Modified-Since", "yesterday", 200},
		{"If-Match", tag, 200},
		{"If-Match", `"x"`, 412},
		{"If-Unmodified-Since", old.Add(-time.Hour).Format(http.TimeFormat), 412},
	} {
		w := ask(s, "GET", "/s/big.TXT", c.name, c.value)
		if w.Code != c.status || (w.Body.Len() == 0) != (c.status != 200) {
			t.Errorf("%s: %s: got %d %q, want %d", c.name, c.value, w.Code, w.Body, c.status)
		}
		if c.status == 304 && (w.Header().Get("Etag") != tag || w.Header().Get("Cache-Control") == "" || w.Header().Get("Vary") == "") {
			t.Errorf("%s: %s: 304 says %v", c.name, c.value, w.Header())
		}
		if length := w.Header().Get("Content-Length"); c.status == 412 && length != "0" {
			t.Errorf("412 has Content-Length %q", length)
		}
	}
}

func TestRanges(t *testing.T) {
	s := open(t, Config{Mounts: at("/s", plant(t, site))})
	first := ask(s, "GET", "/s/big.TXT").Header()
	for _, c := range []struct {
		ranges, condition string
		status            int
		body, where       string
	}{
		{"bytes=2-4", "", 206, "234", "bytes 2-4/10"},
		{"bytes=7-", "", 206, "789", "bytes 7-9/10"},
		{"bytes=-2", "", 206, "89", "bytes 8-9/10"},
		{"bytes=5-100", "", 206, "56789", "bytes 5-9/10"},
		{"bytes=10-", "", 416, "", "bytes */10"},
		{"bytes=4-2", "", 416, "", ""},
		{"lines=1-2", "", 200, "0123456789", ""},
		{"bytes=2-4", first.Get("Etag"), 206, "234", "bytes 2-4/10"},
		{"bytes=2-4", first.Get("Last-Modified"), 206, "234", "bytes 2-4/10"},
		{"bytes=2-4", `"other"`, 200, "0123456789", ""},
		{"bytes=2-4", "W/" + first.Get("Etag"), 200, "0123456789", ""},
		{"bytes=" + strings.Repeat("0-0,", 40) + "0-0", "", 200, "0123456789", ""},
		{"bytes=0-9,0-9", "", 200, "0123456789", ""},
	} {
		fields := []string{"Range", c.ranges}
		if c.condition != "" {
			fields = append(fields, "If-Range", c.condition)
		}
		w := ask(s, "GET", "/s/big.TXT", fields...)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Range") != c.where {
			t.Errorf("%s if %s: got %d %q %q, want %d %q %q", c.ranges, c.condition, w.Code, w.Body, w.Header().Get("Content-Range"), c.status, c.body, c.where)
		}
		if want := fmt.Sprint(len(c.body)); w.Header().Get("Content-Length") != want {
			t.Errorf("%s: Content-Length %q, want %s", c.ranges, w.Header().Get("Content-Length"), want)
		}
	}
	w := ask(s, "GET", "/s/big.TXT", "Range", "bytes=1-2,-1")
	_, parameters, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	need(t, err)
	parts, said := multipart.NewReader(w.Body, parameters["boundary"]), ""
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		need(t, err)
		text, err := io.ReadAll(part)
		need(t, err)
		said += part.Header.Get("Content-Range") + "=" + string(text) + ";"
	}
	if w.Code != 206 || said != "bytes 1-2/10=12;bytes 9-9/10=9;" {
		t.Errorf("two parts: got %d %s", w.Code, said)
	}
}

func TestVariants(t *testing.T) {
	dir := plant(t, map[string]string{
		"a.css": "plain", "a.css.gz": "gzipped", "a.css.br": "brotli!", "a.css.zst": "zstd",
		"b.js": "plain", "b.js.gz": "stale", "c.png": "png", "c.png.gz": "never", "d.css.gz": "orphan", "e.css": "plain",
		"site/index.html": "plain", "site/index.html.gz": "gzipped",
	})
	need(t, os.Chtimes(filepath.Join(dir, "b.js"), old.Add(time.Second), old.Add(time.Second)))
	need(t, os.Mkdir(filepath.Join(dir, "e.css.gz"), 0o755))
	s := open(t, Config{Mounts: at("/s", dir)})
	tags := map[string]string{}
	for _, c := range []struct{ target, accept, coding, body, vary string }{
		{"/s/a.css", "", "", "plain", "Accept-Encoding"},
		{"/s/a.css", "gzip", "gzip", "gzipped", "Accept-Encoding"},
		{"/s/a.css", "gzip, br", "br", "brotli!", "Accept-Encoding"},
		{"/s/a.css", "gzip;q=1, br;q=0.9", "gzip", "gzipped", "Accept-Encoding"},
		{"/s/a.css", "zstd", "zstd", "zstd", "Accept-Encoding"},
		{"/s/a.css", "deflate", "", "plain", "Accept-Encoding"},
		{"/s/b.js", "gzip", "", "plain", "Accept-Encoding"},
		{"/s/c.png", "gzip", "", "png", ""},
		{"/s/e.css", "gzip", "", "plain", "Accept-Encoding"},
		{"/s/site/", "gzip", "gzip", "gzipped", "Accept-Encoding"},
	} {
		w := ask(s, "GET", c.target, "Accept-Encoding", c.accept)
		fields := w.Header()
		if w.Code != 200 || fields.Get("Content-Encoding") != c.coding || w.Body.String() != c.body || fields.Get("Vary") != c.vary {
			t.Errorf("%s for %q: got %d %q %v", c.target, c.accept, w.Code, w.Body, fields)
		}
		if fields.Get("Content-Length") != fmt.Sprint(len(c.body)) || strings.Contains(fields.Get("Content-Type"), "gzip") {
			t.Errorf("%s for %q: %v", c.target, c.accept, fields)
		}
		tag := fields.Get("Etag")
		if other, seen := tags[c.target+tag]; seen && other != c.coding {
			t.Errorf("%s for %q: ETag %s is also that of %q", c.target, c.accept, tag, other)
		}
		tags[c.target+tag] = c.coding
		if again := ask(s, "GET", c.target, "Accept-Encoding", c.accept, "If-None-Match", tag); again.Code != 304 {
			t.Errorf("%s for %q: its own tag gives %d", c.target, c.accept, again.Code)
		}
	}
	if w := ask(s, "GET", "/s/d.css", "Accept-Encoding", "gzip"); w.Code != 404 {
		t.Errorf("a variant without its file: %d", w.Code)
	}
	if w := ask(s, "GET", "/s/a.css", "Accept-Encoding", "gzip", "Range", "bytes=1-2"); w.Code != 206 || w.Body.String() != "zi" {
		t.Errorf("a part of a variant: %d %q", w.Code, w.Body)
	}
}

// A time that says nothing of the content must not make a client keep old content.
func TestTimesThatMeanNothing(t *testing.T) {
	now := old.Add(time.Hour)
	dir := plant(t, map[string]string{"epoch.js": "a", "zip.js": "a", "new.js": "a", "future.js": "a"})
	for name, when := range map[string]time.Time{
		"epoch.js": time.Unix(1, 0), "zip.js": time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), "new.js": now.Add(-time.Second), "future.js": now.Add(time.Hour),
	} {
		need(t, os.Chtimes(filepath.Join(dir, name), when, when))
	}
	s := open(t, Config{Mounts: at("/s", dir)})
	s.now = func() time.Time { return now }
	for name, want := range map[string]struct {
		tag     string
		changed string
	}{
		"epoch.js": {"", ""}, "zip.js": {"", ""},
		"new.js":    {"W/", now.Add(-time.Second).Format(http.TimeFormat)},
		"future.js": {"W/", now.Format(http.TimeFormat)},
	} {
		fields := ask(s, "GET", "/s/"+name).Header()
		if tag := fields.Get("Etag"); fields.Get("Last-Modified") != want.changed || !strings.HasPrefix(tag, want.tag) || (tag == "") != (want.tag == "") {
			t.Errorf("%s: got %v", name, fields)
		}
	}
}

func TestCacheControl(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	hashes, pattern := open(t, Config{MaxAge: time.Minute}), open(t, Config{Immutable: `^/assets/`})
	for name, want := range map[string]string{
		"app.55e7cbb9ba48.js": forever, "css/app.0123456789abcdef0123.css.map": forever, "a.min.deadbee1.js": forever,
		"app.js": "public, max-age=60", "sales.20240131.csv": "public, max-age=60", "x.deadbeef.js": "public, max-age=60", "55e7cbb9ba48.js": "public, max-age=60",
		"app.55e7cbb9ba48": "public, max-age=60", "app.55E7CBB9BA48.js": "public, max-age=60", "55e7cbb9ba48/app.js": "public, max-age=60",
	} {
		if got := hashes.cacheControl(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"assets/index-BfZ3xq1d.js": forever, "app.55e7cbb9ba48.js": "no-cache"} {
		if got := pattern.cacheControl(name); got != want {
			t.Errorf("%s with a pattern: got %q, want %q", name, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a.JS": "text/javascript; charset=utf-8", "a.svg": "image/svg+xml", "a.woff2": "font/woff2", "a.tar.gz": "application/gzip",
		"a": "application/octet-stream", "a.unheard-of": "application/octet-stream", ".html": "text/html; charset=utf-8",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for extension, kind := range types {
		if _, _, err := mime.ParseMediaType(kind); err != nil || extension != strings.ToLower(extension) || extension[0] != '.' {
			t.Errorf("%s: %q: %v", extension, kind, err)
		}
	}
}
