package gateway

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/internal/fdcheck"
)

// withFiles makes a gateway serve these files below /static.
func withFiles(t *testing.T, files map[string]string, more func(*Config)) (*rig, string) {
	t.Helper()
	dir, built := t.TempDir(), time.Now().Add(-time.Hour)
	for name, content := range files {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(content), 0o644))
		check(t, os.Chtimes(path, built, built))
	}
	return newRig(t, func(c *Config) {
		c.Static = Static{Mounts: []StaticMount{{Prefix: "/static", Dir: dir}}, MaxAge: time.Minute}
		if more != nil {
			more(c)
		}
	}), dir
}

// fetch is a request without a body on a connection that goes on.
func fetch(method, path string, fields ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(fields, "") + "\r\n"
}

// Files do not wait for workers: there are none here.
func TestFilesNeedNoWorker(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 400_000)
	g, _ := withFiles(t, map[string]string{"a.css": "small", "large.bin": large, "a.css.gz": "zipped", "d/index.html": "index", "empty.txt": ""}, nil)
	c := g.dial()
	for range 2 {
		for _, want := range []struct {
			request, body string
			status        int
			length        int64
		}{
			{fetch("GET", "/static/a.css"), "small", 200, 5},
			{fetch("HEAD", "/static/a.css"), "", 200, 5},
			{fetch("GET", "/static/a.css", "Accept-Encoding: br, gzip\r\n"), "zipped", 200, 6},
			{fetch("GET", "/static/a%2Ecss?v=%2F"), "small", 200, 5},
			{fetch("GET", "http://x/static/a.css"), "small", 200, 5},
			{fetch("GET", "/static/empty.txt"), "", 200, 0},
			{fetch("GET", "/static/large.bin"), large, 200, int64(len(large))},
			{fetch("GET", "/static/large.bin", "Range: bytes=5-100004\r\n"), large[5:100005], 206, 100_000},
			{fetch("GET", "/static/large.bin", "Range: bytes=5-8\r\n"), large[5:9], 206, 4},
			{fetch("HEAD", "/static/large.bin"), "", 200, int64(len(large))},
			{fetch("GET", "/static/d/"), "index", 200, 5},
			{fetch("GET", "/static/d"), "", 301, 0},
			{fetch("OPTIONS", "/static/a.css"), "", 204, 0},
		} {
			c.say(want.request)
			r, body := c.hear(want.request[:strings.IndexByte(want.request, ' ')])
			if r.StatusCode != want.status || body != want.body || r.Close {
				t.Errorf("%q: got %d, %d bytes, close %v; want %d, %d bytes", want.request, r.StatusCode, len(body), r.Close, want.status, len(want.body))
			}
			if want.status != 204 && r.ContentLength != want.length || r.Header.Get("Server") != "indrik" || r.Header.Get("Date") == "" {
				t.Errorf("%q: length %d, %v", want.request, r.ContentLength, r.Header)
			}
		}
	}
	for _, missing := range []string{"/static/none", "/static/../static/a.css", "/static/.a", "/static%2fa.css", "/static/d%2Findex.html"} {
		c.say(fetch("GET", missing))
		if r, _ := c.hear("GET"); r.StatusCode != 404 || r.Close {
			t.Errorf("%s: got %d", missing, r.StatusCode)
		}
	}
	old := g.dial()
	old.say("GET /static/a.css HTTP/1.0\r\n\r\n")
	if r, body := old.hear("GET"); body != "small" || !r.Close {
		t.Errorf("HTTP/1.0 got %q, close %v", body, r.Close)
	}
	old.closed()
}

// Files and the application's responses leave in the order of the requests.
func TestFilesInAPipeline(t *testing.T) {
	g, _ := withFiles(t, map[string]string{"a": "file"}, nil)
	g.hire(0, text("app"))
	c := g.dial()
	const n = 50
	c.say(strings.Repeat(fetch("GET", "/static/a")+get+fetch("GET", "/static/a")+fetch("GET", "/static/none"), n))
	for i := range n {
		for _, want := range []string{"file", "app", "file", "404"} {
			r, body := c.hear("GET")
			if r.StatusCode == 404 {
				body = "404"
			}
			if body != want {
				t.Fatalf("round %d: got %q, want %q", i, body, want)
			}
		}
	}
}

// What follows a body that nobody reads must not be taken for a request.
func TestABodyThatNoFileWants(t *testing.T) {
	g, _ := withFiles(t, map[string]string{"a": "file"}, nil)
	for _, c := range []struct {
		request string
		status  int
	}{
		{"POST /static/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", 405},
		{"POST /static/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n", 405},
		{"POST /static/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 405},
		{"GET /static/a HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nGET /static/a HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	} {
		client := g.dial()
		client.say(c.request)
		if r, _ := client.hear("POST"); r.StatusCode != c.status || !r.Close {
			t.Errorf("%.40q: got %d, close %v; want %d and close", c.request, r.StatusCode, r.Close, c.status)
		}
		client.closed()
	}
}

// With fallthrough the application answers what is no file, with its body, on
// whichever path the request came.
func TestFilesFallThrough(t *testing.T) {
	g, _ := withFiles(t, map[string]string{"a": "file", "d/x": "deep"}, func(c *Config) {
		c.Static.Mounts[0].Prefix, c.Static.Fallthrough = "/", true
	})
	g.hire(0, readAll(t))
	c := g.dial()
	for _, x := range []struct{ request, want string }{
		{fetch("GET", "/a"), "file"},
		{fetch("GET", "/d/x"), "deep"},
		{get, "inline 0 <nil> "},
		{fetch("GET", "/d/missing"), "inline 0 <nil> "},
		{"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "inline 3 3 abc"},
		{"GET /d/missing HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "inline 3 3 abc"},
		{"GET /d/missing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "inline 3 3 abc"},
	} {
		c.say(x.request)
		if r, body := c.hear("GET"); body != x.want || r.Close {
			t.Errorf("%.40q: got %q, want %q", x.request, body, x.want)
		}
	}
}

func TestFilesAreInTheAccessLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	g, _ := withFiles(t, map[string]string{"a": "file"}, func(c *Config) { c.AccessLog = log })
	c := g.dial()
	c.say(fetch("GET", "/static/a", "User-Agent: me\r\n") + fetch("HEAD", "/static/none"))
	c.hear("GET")
	c.hear("HEAD")
	want := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] "GET /static/a HTTP/1\.1" 200 4 "-" "me"\n` +
		`127\.0\.0\.1 - - \[[^]]+\] "HEAD /static/none HTTP/1\.1" 404 0 "-" "-"\n$`)
	waitFor(t, func() bool { lines, _ := os.ReadFile(log); return want.Match(lines) })
}

// A client that stops reading, leaves, or is sent a file that shrinks costs a
// goroutine for a while, and nothing for ever.
func TestFilesOfClientsThatMisbehave(t *testing.T) {
	g, dir := withFiles(t, map[string]string{"large": strings.Repeat("x", 64<<20)}, func(c *Config) { c.Patience = 500 * time.Millisecond })
	before, err := fdcheck.Count()
	check(t, err)
	stops, leaves, shrinks := g.dial(), g.dial(), g.dial()
	check(t, stops.Conn.(*net.TCPConn).SetReadBuffer(4096))
	for _, c := range []*client{stops, leaves, shrinks} {
		c.say(fetch("GET", "/static/large"))
		_, err := c.in.ReadByte()
		check(t, err)
	}
	_ = leaves.Close()
	check(t, os.Truncate(filepath.Join(dir, "large"), 10))
	n, err := io.Copy(io.Discard, shrinks.in)
	if n >= 64<<20 {
		t.Errorf("a file that shrank came whole: %d bytes, %v", n, err)
	}
	waitFor(t, func() bool { return g.board.Loop(0).Connections() == 0 })
	_, _ = stops.Close(), shrinks.Close()
	waitFor(t, func() bool { now, err := fdcheck.Count(); return err == nil && now <= before })
}

// A drain lets a download finish, and says that the connection ends.
func TestDrainLetsADownloadFinish(t *testing.T) {
	large := strings.Repeat("x", 32<<20)
	g, _ := withFiles(t, map[string]string{"large": large}, nil)
	c := g.dial()
	c.say(fetch("GET", "/static/large"))
	_, err := c.in.Peek(1) // more than the sockets hold is left to send
	check(t, err)
	check(t, g.master.Send(DrainOrder(0)))
	if r, body := c.hear("GET"); r.StatusCode != 200 || len(body) != len(large) {
		t.Errorf("got %d, %d bytes", r.StatusCode, len(body))
	}
	c.closed()
	g.expect(FactDrained)
}

// A gateway whose directory is gone says so once, serves everything else, and
// the files when they are there again.
func TestADirectoryThatIsGone(t *testing.T) {
	g, dir := withFiles(t, nil, func(c *Config) { c.Static.Mounts[0].Dir += "/late" })
	g.hire(0, text("app"))
	waitFor(t, func() bool { return strings.Contains(g.log.String(), "static files could not be opened") })
	c := g.dial()
	c.say(fetch("GET", "/static/a") + get)
	if r, _ := c.hear("GET"); r.StatusCode != 404 {
		t.Errorf("got %d", r.StatusCode)
	}
	if _, body := c.hear("GET"); body != "app" {
		t.Errorf("got %q", body)
	}
	check(t, os.Mkdir(filepath.Join(dir, "late"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "late/a"), []byte("here"), 0o644))
	waitFor(t, func() bool { return strings.Contains(g.log.String(), "can be served again") })
	c.say(fetch("GET", "/static/a"))
	if _, body := c.hear("GET"); body != "here" {
		t.Errorf("got %q", body)
	}
	if said := strings.Count(g.log.String(), "could not be opened"); said != 1 {
		t.Errorf("the log says %d times that the directory is gone", said)
	}
	g.log.reset()
}

// Files are served over TLS as well, by HTTP/2 and by HTTP/1.1, and what is
// refused there has its page.
func TestFilesOverTLS(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 100_000)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "a.css"), []byte("small"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "large"), []byte(large), 0o644))
	g, ca := newTLSRig(t, func(c *Config) { c.Static.Mounts = []StaticMount{{Prefix: "/static", Dir: dir}} })
	for proto, c := range map[string]*http.Client{"HTTP/2.0": g.http2Client(ca), "HTTP/1.1": http1Client(t, ca)} {
		for range 2 {
			r, body := ask(t, c, "GET", g.url("/static/a.css"), nil)
			if r.Proto != proto || r.StatusCode != 200 || body != "small" || r.ContentLength != 5 || r.Header.Get("Etag") == "" {
				t.Errorf("%s: got %s %d %q %v", proto, r.Proto, r.StatusCode, body, r.Header)
			}
			if r, body = ask(t, c, "GET", g.url("/static/large"), nil); body != large || r.ContentLength != int64(len(large)) {
				t.Errorf("%s: got %d bytes of %d", proto, len(body), r.ContentLength)
			}
			if r, body = ask(t, c, "GET", g.url("/static/large"), nil, "Range", "bytes=3-6"); r.StatusCode != 206 || body != "3456" {
				t.Errorf("%s: a range got %d %q", proto, r.StatusCode, body)
			}
			if r, body = ask(t, c, "HEAD", g.url("/static/large"), nil); body != "" || r.ContentLength != int64(len(large)) {
				t.Errorf("%s: HEAD got %d bytes of %d", proto, len(body), r.ContentLength)
			}
			r, body = ask(t, c, "GET", g.url("/static/none"), nil, "Accept", "application/json")
			g.judge(proto, r, body, 404, true)
		}
	}
}

func http1Client(t *testing.T, ca *authority) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool, ServerName: "example.org"}, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}
