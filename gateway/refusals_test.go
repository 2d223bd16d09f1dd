package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/dispatch"
)

var ownID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// judge checks a response of the gateway itself: id, page, and the log line that
// has the same id.
func (g *rig) judge(what string, r *http.Response, body string, status int, asJSON bool) {
	g.t.Helper()
	id := r.Header.Get("X-Request-ID")
	if r.StatusCode != status || !ownID.MatchString(id) || r.Header.Get("Cache-Control") != "no-store" {
		g.t.Errorf("%s: got %d %v, want %d with an id", what, r.StatusCode, r.Header, status)
		return
	}
	if busy := status == 503; busy != (r.Header.Get("Retry-After") == "1") {
		g.t.Errorf("%s: Retry-After is %q", what, r.Header.Get("Retry-After"))
	}
	kind := r.Header.Get("Content-Type")
	if asJSON {
		var p problem
		err := json.Unmarshal([]byte(body), &p)
		if err != nil || kind != problemPage || p.Status != status || p.RequestID != id || p.Title != phrase(status) || p.Detail == "" || p.Type != "about:blank" {
			g.t.Errorf("%s: got %s %q, %v", what, kind, body, err)
		}
	} else if kind != htmlPage || !strings.Contains(body, fmt.Sprintf("%d %s", status, phrase(status))) || !strings.Contains(body, id) {
		g.t.Errorf("%s: got %s %q", what, kind, body)
	}
	if status != 404 && status != 405 && !strings.Contains(g.log.String(), "request="+id) {
		g.t.Errorf("%s: the log has no line about %s:\n%s", what, id, g.log)
	}
}

// Every refusal has the status that RFC 9110 and 9112 name, a page in HTML or
// JSON as the client likes it, an id, and a line in the log.
func TestEveryRefusal(t *testing.T) {
	const post, host, body = "POST / HTTP/1.1\r\n", "Host: x\r\n", "\r\n\r\nb"
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET /\r\n" + host, 400},
		{"G\x01T / HTTP/1.1\r\n" + host, 400},
		{"GET / HTTP/1.1\n" + host, 400},
		{"GET  / HTTP/1.1\r\n" + host, 400},
		{"GET /a#b HTTP/1.1\r\n" + host, 400},
		{"GET /\xff HTTP/1.1\r\n" + host, 400},
		{"GET /%00 HTTP/1.1\r\n" + host, 400},
		{"GET x HTTP/1.1\r\n" + host, 400},
		{"GET / HTTP/1.1\r\n", 400},
		{"GET / HTTP/1.1\r\n" + host + host, 400},
		{"GET / HTTP/1.1\r\nHost: a b\r\n", 400},
		{"GET / HTTP/1.1\r\n" + host + "A : b\r\n", 400},
		{"GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n", 400},
		{"GET / HTTP/1.1\r\n" + host + "A: b\x00c\r\n", 400},
		{"GET / HTTP/1.1\r\n" + host + "no colon\r\n", 400},
		{post + host + "Content-Length: +1\r\n" + body, 400},
		{post + host + "Content-Length: 1\r\nContent-Length: 1\r\n" + body, 400},
		{post + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" + body, 400},
		{post + host + "Transfer-Encoding: chunked, chunked\r\n" + body, 400},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + body, 400},
		{post + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
		{"GET / HTTP/1.1\r\nA: b", 408},
		{post + host + "Content-Length: 5\r\n\r\nabc", 408},
		{post + host + "Content-Length: 9999\r\n", 413},
		{post + host + "Transfer-Encoding: chunked\r\n\r\n270f\r\n" + strings.Repeat("b", 9999), 413},
		{"GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\n" + host, 414},
		{post + host + "Content-Length: 1\r\nExpect: magic\r\n" + body, 417},
		{"GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 200), 431},
		{"GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("b", 9000) + "\r\n", 431},
		{"CONNECT x:1 HTTP/1.1\r\n" + host, 501},
		{post + host + "Transfer-Encoding: gzip, chunked\r\n" + body, 501},
		{"GET / HTTP/2.0\r\n" + host, 505},
	} {
		t.Run(fmt.Sprintf("%d %.40q", c.status, c.request), func(t *testing.T) { refusedTwice(t, c.request, c.status) })
	}
}

// refusedTwice has a request refused with a page in HTML and in JSON.
func refusedTwice(t *testing.T, text string, status int) {
	g := newRig(t, func(c *Config) { c.BodyLimit, c.Patience = 1000, 300*time.Millisecond })
	for _, accept := range []string{"", "Accept: application/json\r\n"} {
		client := g.dial()
		line, rest, _ := strings.Cut(text, "\n")
		request := line + "\n" + accept + rest
		if status != 408 {
			request += "\r\n"
		}
		client.say(request)
		r, body := client.hear("POST")
		g.judge(fmt.Sprintf("%.60q", text), r, body, status, accept != "")
		if !r.Close {
			t.Errorf("%.60q: the connection goes on", text)
		}
		client.closed()
	}
	if said := g.log.String(); strings.ContainsAny(said, "\x00\x01") || !utf8.ValidString(said) {
		t.Errorf("raw bytes of a client are in the log: %q", g.log)
	}
}

// What workers are to blame for, or the want of them, looks the same.
func TestEveryFailure(t *testing.T) {
	g := newRig(t, func(c *Config) {
		c.Queue, c.QueueTimeout, c.SpoolDir = 1, time.Second, "/nowhere"
	})
	ask := func(accept string) *client {
		c := g.dial()
		c.say("GET / HTTP/1.1\r\nHost: x\r\n" + accept + "\r\n")
		return c
	}
	const wantsJSON = "Accept: text/html;q=0.5, application/problem+json\r\n"
	for _, accept := range []string{"", wantsJSON} {
		waits := ask(accept)
		waitFor(t, func() bool { return g.board.Loop(0).Queued() == 1 })
		full := ask(accept)
		r, body := full.hear("GET")
		g.judge("queue full", r, body, 503, accept != "")
		r, body = waits.hear("GET")
		g.judge("queue timeout", r, body, 503, accept != "")

		spool := g.dial()
		spool.say("POST / HTTP/1.1\r\nHost: x\r\n" + accept + "Content-Length: 2000000\r\n\r\n" + strings.Repeat("b", 70_000))
		r, body = spool.hear("POST")
		g.judge("no room for the body", r, body, 507, accept != "")
	}
	for _, chunked := range []bool{false, true} {
		for status, cause := range map[int]string{502: "crashed", 504: CauseTimeout} {
			for _, accept := range []string{"", wantsJSON} {
				s := g.hire(status-501, nil)
				c := g.dial()
				if chunked {
					c.say("POST / HTTP/1.1\r\nHost: x\r\n" + accept + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
				} else {
					c.say("GET / HTTP/1.1\r\nHost: x\r\n" + accept + "\r\n")
				}
				id, _, _, _, _ := s.take()
				s.dies(cause, id)
				r, body := c.hear("GET")
				g.judge(cause, r, body, status, accept != "")
				if r.Close {
					t.Errorf("%s: the connection of an innocent client was closed", cause)
				}
			}
		}
	}
	s := g.hire(0, nil)
	for _, accept := range []string{"", wantsJSON} {
		c := ask(accept)
		id, _, _, _, _ := s.take()
		s.send(dispatch.Tuple{id, "200 OK", fields("A", "b\r\nc"), []byte{}})
		r, body := c.hear("GET")
		g.judge("bad reply", r, body, 500, accept != "")
	}
	g.log.reset()
}

// A HEAD request is refused without a body, and a 404 of a file has an id too.
func TestPagesOfHeadAndFiles(t *testing.T) {
	g, _ := withFiles(t, nil, nil)
	c := g.dial()
	c.say(fetch("GET", "/static/none"))
	r, body := c.hear("GET")
	g.judge("no such file", r, body, 404, false)
	c.say(fetch("DELETE", "/static/none", "Accept: application/json\r\n"))
	r, body = c.hear("DELETE")
	g.judge("not a method of files", r, body, 405, true)
	c.say("HEAD / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
	if r, body := c.hear("HEAD"); r.StatusCode != 400 || body != "" {
		t.Errorf("HEAD got %d %q", r.StatusCode, body)
	}
	c.closed()
}

// A client that sends nonsense for a living must not fill the disk with log.
func TestAFloodOfRefusalsIsCounted(t *testing.T) {
	g := newRig(t, nil)
	const n = 3 * refusalLines
	for range n {
		c := g.dial()
		c.say("nonsense \x1b[31m\r\n\r\n")
		c.hear("GET")
	}
	said := g.log.String()
	if lines := strings.Count(said, "request refused"); lines != refusalLines || !strings.Contains(said, `client=127.0.0.1`) || !strings.Contains(said, `line="nonsense \x1b[31m\r\n"`) {
		t.Errorf("%d refusals gave %d lines:\n%s", n, lines, said)
	}
	r := refusals{log: hclog.New(&hclog.LoggerOptions{Output: g.log}), level: hclog.Info}
	for range refusalLines + 5 {
		r.admit()
	}
	r.tell()
	r.tell()
	if strings.Count(g.log.String(), "left out: count=5") != 1 {
		t.Errorf("what was left out is not told once:\n%s", g.log)
	}
}

func TestAcceptOfUnlawfulRequests(t *testing.T) {
	for data, want := range map[string]string{
		"": "", "GET": "", "GET / HTTP/1.1\r\nAccept: a/b\r\n": "a/b", "x\naccept:a/b\nAccept: c/d": "a/b",
		"x\r\nAcceptable: a\r\n\r\nAccept: b\r\n": "", ":\r\n: x\r\nACCEPT:  c\t\r\n": "c",
	} {
		if got := acceptIn([]byte(data)); string(got) != want {
			t.Errorf("%q: got %q, want %q", data, got, want)
		}
	}
}
