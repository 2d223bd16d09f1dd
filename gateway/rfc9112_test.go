package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/indrik/indrik/dispatch"
)

// wire is one conversation: what is sent, and what comes back. Each answer is
// "status body"; a body of "*" is any. After them the connection is closed, or
// takes another request.
type wire struct {
	name, sent string
	answers    []string
	closed     bool
}

// describing answers with what it was asked: method, host, path, query and body.
func describing(s *seat, id int64, env map[string]any, body []byte, _ int) {
	host, _ := env["HTTP_HOST"].(string)
	text := fmt.Sprintf("%s %s %s?%s [%s]", env["REQUEST_METHOD"], host, env["PATH_INFO"], env["QUERY_STRING"], body)
	s.send(dispatch.Tuple{id, "200 OK", fields(), []byte(text)})
}

// converse has one conversation with g.
func converse(t *testing.T, g *rig, w wire) {
	t.Helper()
	c := g.dial()
	c.say(w.sent)
	if w.closed {
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite() // it may be closed by now
	}
	for i, want := range w.answers {
		method := "GET"
		if strings.HasPrefix(w.sent, "HEAD") {
			method = "HEAD"
		}
		response, body, err := c.listen(method)
		if err != nil {
			t.Errorf("%s: answer %d: %v, want %s", w.name, i+1, err, want)
			return
		}
		got := fmt.Sprintf("%d %s", response.StatusCode, strings.TrimSpace(body))
		if strings.HasSuffix(want, " *") {
			got = fmt.Sprintf("%d *", response.StatusCode)
		}
		if got != want {
			t.Errorf("%s: answer %d is %q, want %q", w.name, i+1, got, want)
		}
		if last := i == len(w.answers)-1; response.Close != (last && w.closed) {
			t.Errorf("%s: answer %d says close %v", w.name, i+1, response.Close)
		}
	}
	if w.closed {
		c.closed()
		return
	}
	c.say("GET /more HTTP/1.1\r\nHost: m\r\n\r\n")
	if _, body := c.hear("GET"); body != "GET m /more? []" {
		t.Errorf("%s: the next request was answered %q", w.name, body)
	}
}

// RFC 9112 section 3: targets and hosts.
func TestTargetsOnTheWire(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, describing)
	for _, w := range []wire{
		{"origin-form", "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 GET h /a?b=c []"}, false},
		{"path of slashes", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 GET h //a//b? []"}, false},
		{"dots are the application's", "GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 GET h /a/../b? []"}, false},
		{"absolute-form replaces Host", "GET http://a:81/x?y HTTP/1.1\r\nHost: b\r\n\r\n", []string{"200 GET a:81 /x?y []"}, false},
		{"absolute-form without path", "GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n", []string{"200 GET a /?y []"}, false},
		{"absolute-form still needs Host", "GET http://a/ HTTP/1.1\r\n\r\n", []string{"400 *"}, true},
		{"absolute-form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 *"}, true},
		{"absolute-form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 *"}, true},
		{"absolute-form without host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 *"}, true},
		{"authority-form", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", []string{"501 *"}, true},
		{"authority-form without port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 *"}, true},
		{"authority-form for GET", "GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 *"}, true},
		{"CONNECT to a path", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", []string{"400 *"}, true},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 OPTIONS h *? []"}, false},
		{"asterisk-form for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"no slash", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"no target", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"bytes above 0x7f", "GET /\xe4 HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"control character", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"tab", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"blank at the end", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"no version", "GET /\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"version in lower case", "GET / http/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"version 1.9 is served as 1.1", "GET / HTTP/1.9\r\nHost: h\r\n\r\n", []string{"200 GET h /? []"}, false},
		{"version 2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", []string{"505 *"}, true},
		{"method in lower case", "get / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"method unknown to us", "FROBNICATE / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 FROBNICATE h /? []"}, false},
		{"one empty line before", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 GET h /? []"}, false},
		{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"TLS to a plain port", "\x16\x03\x01\x02\x00\x01\x00", []string{"400 *"}, true},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", []string{"400 *"}, true},
		{"no Host in 1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"200 GET  /? []"}, false},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", []string{"400 *"}, true},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", []string{"200 GET  /? []"}, false},
		{"Host with a path", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", []string{"400 *"}, true},
		{"Host with a user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", []string{"400 *"}, true},
		{"Host with a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", []string{"400 *"}, true},
		{"Host with a bad port", "GET / HTTP/1.1\r\nHost: h:99999\r\n\r\n", []string{"400 *"}, true},
		{"Host of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", []string{"200 GET [::1]:80 /? []"}, false},
	} {
		converse(t, g, w)
	}
}

// RFC 9112 sections 6, 7 and 9: where a body ends, and whether another request
// follows.
func TestFramingOnTheWire(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, describing)
	post := func(fields, body string) string {
		return "POST /p HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body
	}
	chunked := func(body string) string { return post("Transfer-Encoding: chunked\r\n", body) }
	next := "GET /next HTTP/1.1\r\nHost: n\r\n\r\n"
	ab, nextAnswer := "200 POST h /p? [ab]", "200 GET n /next? []"
	for _, w := range []wire{
		{"Content-Length", post("Content-Length: 2\r\n", "ab") + next, []string{ab, nextAnswer}, false},
		{"Content-Length of 0", post("Content-Length: 0\r\n", "") + next, []string{"200 POST h /p? []", nextAnswer}, false},
		{"leading zeros", post("Content-Length: 002\r\n", "ab"), []string{ab}, false},
		{"neither", post("", "") + next, []string{"200 POST h /p? []", nextAnswer}, false},
		{"two lengths", post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"), []string{"400 *"}, true},
		{"list of lengths", post("Content-Length: 2, 2\r\n", "ab"), []string{"400 *"}, true},
		{"signed length", post("Content-Length: +2\r\n", "ab"), []string{"400 *"}, true},
		{"negative length", post("Content-Length: -2\r\n", "ab"), []string{"400 *"}, true},
		{"hexadecimal length", post("Content-Length: 0x2\r\n", "ab"), []string{"400 *"}, true},
		{"length with underscore", post("Content-Length: 1_0\r\n", "ab"), []string{"400 *"}, true},
		{"length too large", post("Content-Length: 9223372036854775808\r\n", "ab"), []string{"400 *"}, true},
		{"empty length", post("Content-Length:\r\n", "ab"), []string{"400 *"}, true},
		{"chunked", chunked("1\r\na\r\n1\r\nb\r\n0\r\n\r\n") + next, []string{ab, nextAnswer}, false},
		{"chunked in capitals", post("Transfer-Encoding: Chunked\r\n", "2\r\nab\r\n0\r\n\r\n"), []string{ab}, false},
		{"chunk extensions", chunked("1;a\r\na\r\n1 ; b=\"c\"\r\nb\r\n0;d\r\n\r\n"), []string{ab}, false},
		{"trailers", chunked("2\r\nab\r\n0\r\nX-T: v\r\nX-U:\r\n\r\n") + next, []string{ab, nextAnswer}, false},
		{"trailer that frames", chunked("2\r\nab\r\n0\r\nContent-Length: 3\r\n\r\n"), []string{"400 *"}, true},
		{"folded trailer", chunked("2\r\nab\r\n0\r\nX-T: v\r\n w\r\n\r\n"), []string{"400 *"}, true},
		{"chunk longer than said", chunked("2\r\nabc\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"chunk with LF alone", chunked("2\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"chunk ended by LF alone", chunked("2\r\nab\n0\r\n\r\n"), []string{"400 *"}, true},
		{"size signed", chunked("+2\r\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"size with 0x", chunked("0x2\r\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"size with a blank before", chunked(" 2\r\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"size too large", chunked("ffffffffffffffffff\r\n"), []string{"400 *"}, true},
		{"CR in an extension", chunked("2;a\rb\r\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"both", post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"both, the other way", post("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "2\r\nab\r\n0\r\n\r\n"), []string{"400 *"}, true},
		{"chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), []string{"400 *"}, true},
		{"chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", ""), []string{"400 *"}, true},
		{"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", ""), []string{"501 *"}, true},
		{"chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n", ""), []string{"400 *"}, true},
		{"identity", post("Transfer-Encoding: identity\r\n", ""), []string{"501 *"}, true},
		{"xchunked", post("Transfer-Encoding: xchunked\r\n", ""), []string{"501 *"}, true},
		{"vertical tab before chunked", post("Transfer-Encoding: \vchunked\r\n", ""), []string{"400 *"}, true},
		{"blank before the colon", post("Transfer-Encoding : chunked\r\n", ""), []string{"400 *"}, true},
		{"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{"400 *"}, true},
		{"unknown expectation", post("Expect: tea\r\nContent-Length: 2\r\n", "ab"), []string{"417 *"}, true},
		{"body cut short", post("Content-Length: 3\r\n", "ab"), nil, true},
		{"chunks cut short", chunked("2\r\nab"), nil, true},
	} {
		converse(t, g, w)
	}
}

// RFC 9112 sections 5 and 9.3: field lines, and how long a connection lasts.
func TestFieldsAndConnectionsOnTheWire(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, describing)
	req := func(version, fields string) string {
		return "GET / HTTP/" + version + "\r\nHost: h\r\n" + fields + "\r\n"
	}
	ok := []string{"200 GET h /? []"}
	for _, w := range []wire{
		{"1.1 stays", req("1.1", ""), ok, false},
		{"1.1 close", req("1.1", "Connection: close\r\n"), ok, true},
		{"1.1 close in a list", req("1.1", "Connection: x, Close\r\n"), ok, true},
		{"1.1 close in a second field", req("1.1", "Connection: x\r\nConnection: close\r\n"), ok, true},
		{"close beats keep-alive", req("1.1", "Connection: keep-alive, close\r\n"), ok, true},
		{"1.0 ends", req("1.0", ""), ok, true},
		{"1.0 keep-alive", req("1.0", "Connection: Keep-Alive\r\n"), ok, false},
		{"Upgrade that we do not know", req("1.1", "Connection: upgrade\r\nUpgrade: x\r\n"), ok, false},
		{"blanks around a value", req("1.1", "X:\t a \t\r\n"), ok, false},
		{"no value", req("1.1", "X:\r\n"), ok, false},
		{"latin-1 in a value", req("1.1", "X: \xe4\r\n"), ok, false},
		{"no colon", req("1.1", "X\r\n"), []string{"400 *"}, true},
		{"no name", req("1.1", ": a\r\n"), []string{"400 *"}, true},
		{"blank before the colon", req("1.1", "X : a\r\n"), []string{"400 *"}, true},
		{"blank before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", []string{"400 *"}, true},
		{"folded", req("1.1", "X: a\r\n b\r\n"), []string{"400 *"}, true},
		{"LF alone", req("1.1", "X: a\n"), []string{"400 *"}, true},
		{"CR alone", req("1.1", "X: a\rb\r\n"), []string{"400 *"}, true},
		{"NUL", req("1.1", "X: a\x00b\r\n"), []string{"400 *"}, true},
		{"DEL", req("1.1", "X: a\x7fb\r\n"), []string{"400 *"}, true},
		{"name in brackets", req("1.1", "X[0]: a\r\n"), []string{"400 *"}, true},
		{"name above 0x7f", req("1.1", "\xe4: a\r\n"), []string{"400 *"}, true},
		{"Content-Type twice", req("1.1", "Content-Type: a\r\nContent-Type: b\r\n"), []string{"400 *"}, true},
		{"100 fields", req("1.1", strings.Repeat("X: a\r\n", 99)), ok, false},
		{"101 fields", req("1.1", strings.Repeat("X: a\r\n", 100)), []string{"431 *"}, true},
		{"field too long", req("1.1", "X: "+strings.Repeat("a", 8190)+"\r\n"), []string{"431 *"}, true},
		{"line too long", "GET /" + strings.Repeat("a", 4094) + " HTTP/1.1\r\nHost: h\r\n\r\n", []string{"414 *"}, true},
		{"head too large", req("1.1", strings.Repeat("X: "+strings.Repeat("a", 8000)+"\r\n", 9)), []string{"431 *"}, true},
		{"head cut short", "GET / HTTP/1.1\r\nHost: h\r\n", nil, true},
	} {
		converse(t, g, w)
	}
}
