package http1

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A response head is what the application and the gateway say, in order.
func TestAppendHead(t *testing.T) {
	b := AppendStatusLine(nil, 1, "200 OK")
	b = AppendField(b, "Content-Type", []byte("text/plain"))
	b = AppendField(b, []byte("X-Empty"), "")
	b = AppendStatusLine(b, 0, []byte("404"))
	if want := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Empty: \r\nHTTP/1.0 404 \r\n"; string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
}

func TestValidStatus(t *testing.T) {
	for s, want := range map[string]int{
		"200 OK": 200, "404": 404, "204 ": 204, "999 Made up": 999, "500 caf\xe9": 500, "100 Continue": 100,
		"": 0, "20": 0, "2000": 0, "200OK": 0, "200\tOK": 0, "099 Low": 0, "+20 a": 0, "0x1 a": 0, " 200": 0,
		"200 a\r\nX: y": 0, "200 a\nb": 0, "200 \x00": 0, "200 \x7f": 0, "\xb2\xb2\xb2": 0,
	} {
		code, ok := ValidStatus(s)
		if code != want || ok != (want != 0) {
			t.Errorf("ValidStatus(%q): got %d, %v, want %d", s, code, ok, want)
		}
		if c, o := ValidStatus([]byte(s)); c != code || o != ok {
			t.Errorf("ValidStatus(%q) as bytes: got %d, %v", s, c, o)
		}
	}
}

// What an application took from its user must not end a field.
func TestValidFields(t *testing.T) {
	for name, want := range map[string]bool{"X-A": true, "a": true, "": false, "X A": false, "X:": false, "X\r": false, "X\n": false, "X\xe9": false, "X\x00": false, "(": false} {
		if got := ValidFieldName(name); got != want {
			t.Errorf("ValidFieldName(%q): got %v, want %v", name, got, want)
		}
	}
	for value, want := range map[string]bool{"": true, "a b\tc": true, "caf\xe9": true, "a\r": false, "a\nb": false, "\x00": false, "\x7f": false, "a\x1bb": false} {
		if got := ValidFieldValue(value); got != want {
			t.Errorf("ValidFieldValue(%q): got %v, want %v", value, got, want)
		}
	}
}

func TestAppendDate(t *testing.T) {
	east := time.FixedZone("east", 3*3600)
	for _, at := range []time.Time{
		time.Unix(0, 0), time.Date(2024, 2, 29, 1, 2, 3, 999, east), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		got, want := string(AppendDate([]byte("Date: "), at)), "Date: "+at.UTC().Format(http.TimeFormat)
		if got != want || len(got) != len("Date: ")+DateLen {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	buf, now := make([]byte, 0, DateLen), time.Unix(1e9, 0)
	if n := testing.AllocsPerRun(100, func() { buf = AppendDate(buf[:0], now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIsHopByHop(t *testing.T) {
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"} {
		if !IsHopByHop(name) || !IsHopByHop(strings.ToLower(name)) || !IsHopByHop([]byte(strings.ToUpper(name))) {
			t.Errorf("%s: got false", name)
		}
	}
	for _, name := range []string{"", "ET", "Cookies", "Content-Md", "Content-Type", "Proxy-Authorizat", "Transfer-Encodinh", "Date"} {
		if IsHopByHop(name) {
			t.Errorf("%s: got true", name)
		}
	}
}

// Every status this package refuses with must have a phrase, and net/http is
// the second witness for all of them.
func TestPhrase(t *testing.T) {
	for code := range 1000 {
		got, want := Phrase(code), http.StatusText(code)
		if code == 413 || code == 414 {
			continue // net/http keeps the names of RFC 7231
		}
		if got != "" && got != want {
			t.Errorf("%d: got %q, want %q", code, got, want)
		}
	}
	for _, code := range []int{400, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505} {
		if Phrase(code) == "" {
			t.Errorf("%d has no phrase", code)
		}
	}
}

func TestBodyless(t *testing.T) {
	for code, want := range map[int]bool{100: true, 101: true, 199: true, 200: false, 204: true, 205: false, 304: true, 404: false} {
		if got := Bodyless(code); got != want {
			t.Errorf("%d: got %v, want %v", code, got, want)
		}
	}
}
