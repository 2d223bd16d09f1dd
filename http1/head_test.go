package http1

import (
	"errors"
	"strings"
	"testing"
)

// parse gives s to a new Head in one piece.
func parse(s string, lim Limits) (*Head, bool, error) {
	h := new(Head)
	ok, err := h.Parse([]byte(s), &lim)
	return h, ok, err
}

// mustParse fails the test unless s is one complete head.
func mustParse(t *testing.T, s string) *Head {
	t.Helper()
	h, ok, err := parse(s, DefaultLimits())
	if !ok || err != nil {
		t.Fatalf("parse %q: got %v, %v, want a complete head", s, ok, err)
	}
	return h
}

// refused checks that s is refused with status, both in one piece and byte by
// byte, and returns what the first said.
func refused(t *testing.T, s string, lim Limits, status int) *Error {
	t.Helper()
	_, ok, err := parse(s, lim)
	var e *Error
	if ok || !errors.As(err, &e) || e.Status != status {
		t.Errorf("parse %.80q: got %v, %v, want status %d", s, ok, err, status)
		return &Error{}
	}
	if e.Reason == "" || e.Offset < 0 || e.Offset > len(s) {
		t.Errorf("parse %.80q: got reason %q at %d", s, e.Reason, e.Offset)
	}
	var h Head
	for n, buf := 1, []byte(s); n <= len(s); n++ {
		if ok, err := h.Parse(buf[:n], &lim); ok {
			t.Errorf("parse %.80q byte by byte: accepted at %d", s, n)
		} else if err != nil {
			return e
		}
	}
	t.Errorf("parse %.80q byte by byte: never refused", s)
	return e
}

// goodHeads are accepted; the split tests and the fuzzer use them too.
var goodHeads = []string{
	wrkHead,
	browserHead,
	"GET / HTTP/1.0\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://example.org:8080/a?b HTTP/1.1\r\nHost: other\r\n\r\n",
	"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: [::1]:8000\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
	"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\tChunked \t\r\nConnection: a, close ,b\r\n\r\n",
	"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Obs: caf\xe9\tau lait\r\n\r\n",
}

// The gateway hands these values to Python: a wrong slice is another request.
func TestParseTakesTheHeadApart(t *testing.T) {
	h := mustParse(t, "\r\nPOST /a%20b/c?x=1?y&z HTTP/1.1\r\nHost: example.org:8000\r\nContent-Length: 00042\r\nX-One:  a b \t\r\nx-one:second\r\n\r\nBODY")
	for _, c := range []struct{ name, got, want string }{
		{"method", string(h.Method), "POST"},
		{"target", string(h.Target), "/a%20b/c?x=1?y&z"},
		{"path", string(h.Path), "/a%20b/c"},
		{"query", string(h.Query), "x=1?y&z"},
		{"host", string(h.Host), "example.org:8000"},
		{"authority", string(h.Authority), "example.org:8000"},
		{"third field", string(h.Fields[2].Name) + "|" + string(h.Fields[2].Value), "X-One|a b"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	if h.Minor != 1 || !h.HasQuery || !h.KeepAlive || h.ContentLength != 42 || h.Chunked || h.Expect100 || h.Upgrade || len(h.Fields) != 4 {
		t.Errorf("got %+v", h)
	}
	if v, ok := h.Get("X-ONE"); !ok || string(v) != "a b" {
		t.Errorf("Get of a repeated field: got %q, %v, want the first", v, ok)
	}
	if v, ok := h.Get("x-two"); ok {
		t.Errorf("Get of a missing field: got %q", v)
	}
	if want := len("\r\nPOST /a%20b/c?x=1?y&z HTTP/1.1\r\nHost: example.org:8000\r\nContent-Length: 00042\r\nX-One:  a b \t\r\nx-one:second\r\n\r\n"); h.Size != want {
		t.Errorf("size: got %d, want %d", h.Size, want)
	}
}

// A read may end anywhere. Each split must first ask for more and then give
// what the whole gives, out of the second buffer and none of the first.
func TestParseAcceptsEverySplit(t *testing.T) {
	lim := DefaultLimits()
	for _, s := range goodHeads {
		want := describe(mustParse(t, s))
		for n := range len(s) {
			var h Head
			first := []byte(s[:n])
			if ok, err := h.Parse(first, &lim); ok || err != nil {
				t.Fatalf("first %d bytes of %q: got %v, %v, want incomplete", n, s, ok, err)
			}
			for i := range first {
				first[i] = 'Z'
			}
			if ok, err := h.Parse([]byte(s), &lim); !ok || err != nil {
				t.Fatalf("%q after %d bytes: got %v, %v", s, n, ok, err)
			}
			if got := describe(&h); got != want {
				t.Fatalf("%q split at %d:\ngot  %s\nwant %s", s, n, got, want)
			}
		}
	}
}

// One Head serves a connection's requests one after the other.
func TestParseLeavesNothingOfTheLastHead(t *testing.T) {
	lim := DefaultLimits()
	var h Head
	for _, first := range append(goodHeads[:len(goodHeads):len(goodHeads)], "bad", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") {
		for _, second := range goodHeads {
			h.Reset()
			_, _ = h.Parse([]byte(first), &lim) // whatever it says
			if first == "bad" {
				h.Reset() // the only one left in the middle
			}
			if ok, err := h.Parse([]byte(second), &lim); !ok || err != nil {
				t.Fatalf("%q after %q: got %v, %v", second, first, ok, err)
			}
			if got, want := describe(&h), describe(mustParse(t, second)); got != want {
				t.Fatalf("%q after %q:\ngot  %s\nwant %s", second, first, got, want)
			}
		}
	}
}

// A pipelined request begins at Size.
func TestParseStopsAtTheEndOfTheHead(t *testing.T) {
	lim := DefaultLimits()
	buf := []byte(strings.Join(goodHeads, ""))
	var h Head
	for _, s := range goodHeads {
		if ok, err := h.Parse(buf, &lim); !ok || err != nil || h.Size != len(s) {
			t.Fatalf("parse %q: got %v, %v, size %d, want %d", s, ok, err, h.Size, len(s))
		}
		buf = buf[h.Size:]
	}
}

// The connection of a client whose bytes cannot be a request is not held until
// its head ends: most of these never end.
func TestParseRefusesBeforeTheEnd(t *testing.T) {
	long := strings.Repeat("a", 9000)
	for _, c := range []struct {
		name, in string
		status   int
	}{
		{"TLS hello", "\x16", 400},
		{"method not a token", "GE\x00", 400},
		{"method too long", strings.Repeat("M", MaxMethod+1), 400},
		{"second empty line", "\r\n\r\n", 400},
		{"bare LF", "GET / HTTP/1.1\n", 400},
		{"bare CR", "GET / HTTP/1.1\rX", 400},
		{"bare CR after CRLF", "\r\n\rG", 400},
		{"control in target", "GET /\x01", 400},
		{"line too long", "GET /" + long, 414},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n", 505},
		{"no version", "GET /\r\n", 400},
		{"fold", "GET / HTTP/1.1\r\nHost: a\r\n ", 400},
		{"fold of the request line", "GET / HTTP/1.1\r\n\t", 400},
		{"NUL in value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x00", 400},
		{"bare CR in value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb", 400},
		{"field too long", "GET / HTTP/1.1\r\nX: " + long, 431},
		{"head too large", "GET / HTTP/1.1\r\n" + strings.Repeat("X: "+long[:8000]+"\r\n", 9), 431},
		{"fault in an early field", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.in, DefaultLimits(), c.status) })
	}
}

// What the previous calls looked at is not looked at again: otherwise a client
// that sends single bytes buys a quadratic amount of our time.
func TestParseRemembersWhereItStopped(t *testing.T) {
	lim := DefaultLimits()
	var h Head
	for n := range len(browserHead) {
		if _, err := h.Parse([]byte(browserHead[:n]), &lim); err != nil {
			t.Fatal(err)
		}
		if h.scan != n || h.pos != strings.LastIndexByte(browserHead[:n], '\n')+1 {
			t.Fatalf("after %d bytes: scan %d, line %d", n, h.scan, h.pos)
		}
	}
}

// Each limit lets its value through and refuses one more.
func TestParseLimits(t *testing.T) {
	const line, field = "GET /abc HTTP/1.0", "X: 123"
	head := line + "\r\n" + field + "\r\n" + field + "\r\n\r\n"
	for _, c := range []struct {
		name   string
		at     Limits
		below  Limits
		status int
	}{
		{"line", Limits{Line: len(line)}, Limits{Line: len(line) - 1}, 414},
		{"field size", Limits{FieldSize: len(field) + 2}, Limits{FieldSize: len(field) + 1}, 431},
		{"fields", Limits{Fields: 2}, Limits{Fields: 1}, 431},
		{"head", Limits{Head: len(head)}, Limits{Head: len(head) - 1}, 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, ok, err := parse(head+"more", c.at); !ok {
				t.Errorf("at the limit: %v", err)
			}
			refused(t, head, c.below, c.status)
		})
	}
	big := "GET / HTTP/1.0\r\n" + strings.Repeat("X: y\r\n", DefaultHead/6)
	refused(t, big, Limits{}, 431) // no limits of their own, yet not without bound
}

// The offset is that of the offending line, in whichever call it came.
func TestErrorNamesTheLine(t *testing.T) {
	const in = "GET / HTTP/1.1\r\nHost: a\r\nbad line\r\n\r\n"
	e := refused(t, in, DefaultLimits(), 400)
	if want := strings.Index(in, "bad"); e.Offset != want {
		t.Errorf("offset: got %d, want %d", e.Offset, want)
	}
	if got, want := e.Error(), "refuse request with 400: blank in or after a field name at byte 25"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The express path parses every request: garbage there is latency for all.
func TestParseDoesNotAllocate(t *testing.T) {
	lim := DefaultLimits()
	var h Head
	for _, s := range goodHeads {
		buf := []byte(s)
		if n := testing.AllocsPerRun(100, func() { _, _ = h.Parse(buf, &lim) }); n != 0 {
			t.Errorf("parse %q: %v allocations", s, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			_, _ = h.Parse(buf[:len(buf)/2], &lim)
			_, _ = h.Parse(buf, &lim)
		}); n != 0 {
			t.Errorf("parse %q in two pieces: %v allocations", s, n)
		}
	}
}

// A buffer with no room for the end of the head is refused at once: a caller
// whose buffer is exactly the limit would wait for ever.
func TestParseRefusesAFullBuffer(t *testing.T) {
	const s = "GET / HTTP/1.0\r\nX: y\r\n"
	if _, ok, err := parse(s, Limits{Head: len(s) + 2}); ok || err != nil {
		t.Errorf("room for the end: got %v, %v, want incomplete", ok, err)
	}
	refused(t, s+"\r", Limits{Head: len(s) + 1}, 431)
}

// A caller that forgets Reset must not be answered out of range.
func TestParseOfLessBeginsAnew(t *testing.T) {
	lim := DefaultLimits()
	var h Head
	if ok, err := h.Parse([]byte(browserHead[:200]), &lim); ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	if ok, err := h.Parse([]byte(wrkHead), &lim); !ok || err != nil || describe(&h) != describe(mustParse(t, wrkHead)) {
		t.Errorf("got %v, %v, %s", ok, err, describe(&h))
	}
}
