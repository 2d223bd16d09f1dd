package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// digest is what the application echo says of a body.
func digest(method string, declared int, body string) string {
	sum := sha256.Sum256([]byte(body))
	return fmt.Sprintf("%s %d %d %x", method, declared, len(body), sum[:8])
}

// An application inside wsgiref.validate answers 500 to whatever breaks
// PEP 3333, and says so on standard error, which fails the test.
func TestTheValidatorFindsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web", args: []string{"-w", "2"}})
	const parts = "part 0\npart 1\npart 2\npart 3\npart 4\n"
	million := strings.Repeat("0123456789", 100_000)
	s.wants("/", 200, digest("GET", 0, ""))
	s.wants("/stream", 200, parts)
	s.wants("/known", 200, parts)
	s.wants("/big", 200, million)
	s.wants("/written", 200, "one two three")
	s.wants("/nothing", 204, "")
	s.wants("/unchanged", 304, "")
	for _, size := range []int{0, 1, 1000, 65535, 65536, 65537, 300_000, 3_000_000} {
		body := strings.Repeat("line of text\n", size/13+1)[:size]
		for _, path := range []string{"/", "/lines", "/all"} {
			if status, got := s.post(path, "text/plain", strings.NewReader(body)); status != 200 || got != digest("POST", size, body) {
				t.Errorf("POST %s with %d bytes: got %d %q", path, size, status, brief(got))
			}
		}
	}
	for _, path := range []string{"/", "/stream", "/known", "/big"} {
		response, err := s.web.Head(s.url(path))
		if status, body := s.read(response, err); status != 200 || body != "" {
			t.Errorf("HEAD %s: got %d %q", path, status, brief(body))
		}
	}
	s.stop()
}

func TestKeepAliveAndPipelining(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare", args: []string{"-w", "2"}})
	c := s.client()
	// One after the other, of every kind of body, on one connection.
	const get = "GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
	const parts = "part 0\npart 1\npart 2\npart 3\npart 4\n"
	for range 3 {
		c.ask(fmt.Sprintf(get, "/"), "GET", 200, digest("GET", 0, ""))
		c.ask(fmt.Sprintf(get, "/stream"), "GET", 200, parts)
		c.ask(fmt.Sprintf(get, "/big"), "GET", 200, strings.Repeat("0123456789", 100_000))
		c.ask(fmt.Sprintf(get, "/nothing"), "GET", 204, "")
		c.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "POST", 200, digest("POST", 3, "abc"))
	}
	// Many at once: answered in their order, whichever worker is faster.
	var batch strings.Builder
	var want []string
	for n := range 50 {
		body := strings.Repeat("x", n*7)
		switch n % 5 {
		case 3:
			fmt.Fprintf(&batch, get, "/stream")
			want = append(want, parts)
		case 4:
			fmt.Fprintf(&batch, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			want = append(want, digest("POST", len(body), body))
		default:
			fmt.Fprintf(&batch, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			want = append(want, digest("POST", len(body), body))
		}
	}
	c.send(batch.String())
	for _, body := range want {
		c.wants("GET", 200, body)
	}
	if a := c.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET", 200, digest("GET", 0, "")); !a.close {
		t.Error("a response before the end does not say Connection: close")
	}
	c.closed()
	s.stop()
}

func TestHTTP10(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare"})
	c := s.client()
	c.ask("GET / HTTP/1.0\r\n\r\n", "GET", 200, digest("GET", 0, ""))
	c.closed()

	// It does not know chunks: the end of a stream is the end of the connection.
	c = s.client()
	a := c.ask("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", 200, "part 0\npart 1\npart 2\npart 3\npart 4\n")
	if len(a.coding) > 0 {
		t.Errorf("an HTTP/1.0 client got Transfer-Encoding %q", a.coding)
	}
	c.closed()

	c = s.client()
	c.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", 200, digest("GET", 0, ""))
	c.ask("GET / HTTP/1.0\r\n\r\n", "GET", 200, digest("GET", 0, ""))
	c.closed()
	s.stop()
}

func TestChunkedUpload(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web"})
	c := s.client()
	c.ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n",
		"POST", 200, digest("POST", 7, "abcdefg"))
	// In pieces, as a network brings it.
	c.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Enc")
	c.send("oding: chunked\r\n\r\n5\r")
	c.send("\nab")
	c.send("cde\r\n0\r\n")
	c.send("\r\n")
	c.wants("POST", 200, digest("POST", 5, "abcde"))
	// Larger than what stays in memory.
	body := strings.Repeat("0123456789abcdef", 100_000)
	var b strings.Builder
	b.WriteString("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	for part := range slices.Chunk([]byte(body), 10_007) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	b.WriteString("0\r\n\r\n")
	c.ask(b.String(), "POST", 200, digest("POST", len(body), body))
	s.stop()
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web"})
	c := s.client()
	for _, size := range []int{5, 200_000} {
		body := strings.Repeat("x", size)
		c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", size))
		if line, err := c.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("before the body: got %q, %v", line, err)
		}
		if line, err := c.in.ReadString('\n'); err != nil || line != "\r\n" {
			t.Fatalf("after the status line of 100: got %q, %v", line, err)
		}
		c.ask(body, "POST", 200, digest("POST", size, body))
	}
	// A client that does not wait.
	c.ask("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "POST", 200, digest("POST", 3, "abc"))
	s.stop()
}

func TestResponsesWithoutABody(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare"})
	c := s.client()
	for _, tc := range []struct {
		method, path string
		status       int
		header, want string
	}{
		{"HEAD", "/", 200, "Content-Length", "25"},
		{"HEAD", "/known", 200, "Content-Length", "35"},
		{"HEAD", "/big", 200, "Content-Length", "1000000"},
		{"HEAD", "/stream", 200, "Content-Type", "text/plain"},
		{"GET", "/nothing", 204, "Content-Length", ""},
		{"GET", "/nothing", 204, "Transfer-Encoding", ""},
		{"GET", "/nothing", 204, "X-Kind", "empty"},
		{"GET", "/unchanged", 304, "Etag", `"v1"`},
	} {
		a := c.ask(tc.method+" "+tc.path+" HTTP/1.1\r\nHost: x\r\n\r\n", tc.method, tc.status, "")
		if got := a.header.Get(tc.header); got != tc.want {
			t.Errorf("%s %s: %s is %q, want %q", tc.method, tc.path, tc.header, got, tc.want)
		}
	}
	// The connection is still in step.
	c.ask("GET /known HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, "part 0\npart 1\npart 2\npart 3\npart 4\n")
	s.stop()
}

func TestHeaderFieldsBothWays(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare"})
	c := s.client()
	c.send("GET /header/caf%C3%A9%20x?q=a%20b HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-one: 2\r\nX_One: smuggled\r\n" +
		"Cookie: a=1\r\nCookie: b=2\r\nContent-Type: t/x; q=\xe9\r\n\r\n")
	a := c.receive("GET")
	if want := "1,2|a=1; b=2|t/x; q=\xe9|/header/caf\xc3\xa9 x|q=a%20b|HTTP/1.1|http"; strings.ReplaceAll(a.body, "1, 2", "1,2") != want {
		t.Errorf("the application got %q, want %q", a.body, want)
	}
	if got := a.header["Set-Cookie"]; !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("Set-Cookie: got %q, want two fields", got)
	}
	if got := a.header.Get("X-Latin"); got != "caf\xe9" {
		t.Errorf("a latin-1 header field: got %q", got)
	}
	if when, err := time.Parse(time.RFC1123, a.header.Get("Date")); err != nil || time.Since(when).Abs() > time.Minute {
		t.Errorf("Date: got %q, %v", a.header.Get("Date"), err)
	}
	if a.header.Get("Server") == "" {
		t.Error("no Server field")
	}
	s.stop()
}

// What RFC 9112 does not allow is answered by the gateway and never reaches
// Python; then the connection is closed, for nobody knows where the next
// request would begin.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare"})
	s.allow("request refused: ")
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"no HTTP":              {"hello\r\n\r\n", 400},
		"no host":              {"GET / HTTP/1.1\r\n\r\n", 400},
		"two hosts":            {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"space before colon":   {"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400},
		"folded field":         {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400},
		"two lengths":          {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"signed length":        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400},
		"length and chunked":   {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"chunked by 1.0":       {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"chunk size no number": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
		"unknown coding":       {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		"gzip, chunked":        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"NUL in a field":       {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400},
		"too many fields":      {"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", 2000) + "\r\n", 431},
		"too long a field":     {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 200_000) + "\r\n\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			c := speak(t, s.dial())
			c.conn.Write([]byte(tc.request)) //nolint:errcheck // the answer may come, and the end, before all of it was sent
			a := c.receive("GET")
			if a.status != tc.status || !a.close {
				t.Errorf("got %d %q, close %v; want %d and the end", a.status, brief(a.body), a.close, tc.status)
			}
			c.closed()
		})
	}
	s.wants("/", 200, digest("GET", 0, ""))
	s.stop()
}

// An application that fails gets its client a 500, its operator a traceback,
// and nobody else anything.
func TestAnApplicationThatFails(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web:bare"})
	s.allow("Traceback (most recent")
	worker := s.the("worker")
	c := s.client()
	a := c.ask("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 500, c500)
	if a.close {
		t.Error("the connection was closed for it")
	}
	c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, digest("GET", 0, ""))
	if now := s.the("worker"); now != worker {
		t.Errorf("worker %d was replaced by %d", worker, now)
	}
	s.stop()
	if n := s.stderr.count("ValueError: asked to fail"); n != 1 {
		t.Errorf("the traceback came %d times, want once", n)
	}
}

// c500 is the page of a failed application.
const c500 = `<!DOCTYPE html>
<html><head><title>Internal Server Error</title></head>
<body><h1>Internal Server Error</h1>
<p>The application could not answer this request.</p>
</body></html>
`

// A client that sends its body byte by byte does not hold a worker.
func TestASlowClientHoldsNoWorker(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "web", args: []string{"-w", "1"}})
	slow := s.client()
	slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
	half := s.client()
	half.send("GET / HTTP/1.1\r\nHo")
	for range 20 {
		s.wants("/", 200, digest("GET", 0, ""))
	}
	body := "abc" + strings.Repeat("d", 99_997)
	if _, err := io.Copy(slow.conn, bytes.NewReader([]byte(body[3:]))); err != nil {
		t.Fatal(err)
	}
	slow.wants("POST", 200, digest("POST", len(body), body))
	half.ask("st: x\r\n\r\n", "GET", 200, digest("GET", 0, ""))
	s.stop()
}
