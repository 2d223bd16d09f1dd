package http1

import (
	"fmt"
	"strings"
	"testing"
)

// describe shows everything exported, for comparison.
func describe(h *Head) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %v 1.%d path=%q query=%q/%v authority=%q host=%q length=%d chunked=%v keep=%v expect=%v upgrade=%v size=%d",
		h.Method, h.Target, h.Form, h.Minor, h.Path, h.Query, h.HasQuery, h.Authority, h.Host,
		h.ContentLength, h.Chunked, h.KeepAlive, h.Expect100, h.Upgrade, h.Size)
	for _, f := range h.Fields {
		fmt.Fprintf(&b, " %q:%q", f.Name, f.Value)
	}
	return b.String()
}

func TestRequestLineRefusals(t *testing.T) {
	for _, c := range []struct {
		line   string
		status int
	}{
		{" GET / HTTP/1.1", 400},
		{"GET  / HTTP/1.1", 400},
		{"GET /  HTTP/1.1", 400},
		{"GET / HTTP/1.1 ", 400},
		{"GET\t/ HTTP/1.1", 400},
		{"GET /\tHTTP/1.1", 400},
		{"GET / a HTTP/1.1", 400},
		{"GET /", 400},
		{"GET", 400},
		{"GET  HTTP/1.1", 400},
		{"G(T / HTTP/1.1", 400},
		{"G\xc3\x89T / HTTP/1.1", 400},
		{strings.Repeat("M", 21) + " / HTTP/1.1", 400},
		{"GET / http/1.1", 400},
		{"GET / HTTP/11", 400},
		{"GET / HTTP/1.", 400},
		{"GET / HTTP/1.1x", 400},
		{"GET / HTTP/1.10", 400},
		{"GET / HTTP/01.1", 400},
		{"GET / HTTP/1,1", 400},
		{"GET / HTTP/+.1", 400},
		{"GET / HTTP/1.-", 400},
		{"GET / HTTPS/1.1", 400},
		{"GET / HTTP/0.9", 505},
		{"GET / HTTP/2.0", 505},
		{"GET / HTTP/3.1", 505},
		{"GET /#top HTTP/1.1", 400},
		{"GET http://a/#top HTTP/1.1", 400},
		{"GET /caf\xe9 HTTP/1.1", 400},
		{"GET /a\x7f HTTP/1.1", 400},
		{"GET /a\x00 HTTP/1.1", 400},
		{"GET /a\rb HTTP/1.1", 400},
		{"GET * HTTP/1.1", 400},
		{"OPTIONS ** HTTP/1.1", 400},
		{"GET a HTTP/1.1", 400},
		{"GET ?a HTTP/1.1", 400},
		{"GET example.org:80 HTTP/1.1", 400},
		{"GET ftp://a/ HTTP/1.1", 400},
		{"GET http:/a HTTP/1.1", 400},
		{"GET http:a HTTP/1.1", 400},
		{"GET http: HTTP/1.1", 400},
		{"GET http:/ HTTP/1.1", 400},
		{"GET http:// HTTP/1.1", 400},
		{"GET http:///a HTTP/1.1", 400},
		{"GET http://?a HTTP/1.1", 400},
		{"GET http://:80/ HTTP/1.1", 400},
		{"GET http://user@a/ HTTP/1.1", 400},
		{"GET http://user:pw@a/ HTTP/1.1", 400},
		{"GET http://a:x/ HTTP/1.1", 400},
		{"GET http://a\\b/ HTTP/1.1", 400},
		{"GET ://a/ HTTP/1.1", 400},
		{"CONNECT / HTTP/1.1", 400},
		{"CONNECT * HTTP/1.1", 400},
		{"CONNECT a HTTP/1.1", 400},
		{"CONNECT a: HTTP/1.1", 400},
		{"CONNECT :80 HTTP/1.1", 400},
		{"CONNECT a:80/ HTTP/1.1", 400},
		{"CONNECT http://a:80 HTTP/1.1", 400},
	} {
		t.Run(c.line, func(t *testing.T) {
			refused(t, c.line+"\r\nHost: a\r\n\r\n", DefaultLimits(), c.status)
		})
	}
}

func TestTargetForms(t *testing.T) {
	for _, c := range []struct {
		line            string
		form            Form
		path, authority string
		query           string // "-" for none
	}{
		{"GET / HTTP/1.1", OriginForm, "/", "host", "-"},
		{"GET /? HTTP/1.1", OriginForm, "/", "host", ""},
		{"GET /a;b?c/d HTTP/1.1", OriginForm, "/a;b", "host", "c/d"},
		{"GET //a/b HTTP/1.1", OriginForm, "//a/b", "host", "-"},
		{"GET /http://x HTTP/1.1", OriginForm, "/http://x", "host", "-"},
		{"GET /a|b{c}\"^`\\ HTTP/1.1", OriginForm, "/a|b{c}\"^`\\", "host", "-"},
		{"GET http://a HTTP/1.1", AbsoluteForm, "/", "a", "-"},
		{"GET http://a?q HTTP/1.1", AbsoluteForm, "/", "a", "q"},
		{"GET http://a:80/p?q HTTP/1.1", AbsoluteForm, "/p", "a:80", "q"},
		{"GET HTTPS://A/p HTTP/1.1", AbsoluteForm, "/p", "A", "-"},
		{"GET http://[::1]:80/p HTTP/1.1", AbsoluteForm, "/p", "[::1]:80", "-"},
		{"CONNECT a:443 HTTP/1.1", AuthorityForm, "", "a:443", "-"},
		{"CONNECT [::1]:443 HTTP/1.1", AuthorityForm, "", "[::1]:443", "-"},
		{"OPTIONS * HTTP/1.1", AsteriskForm, "*", "host", "-"},
		{"OPTIONS /a HTTP/1.1", OriginForm, "/a", "host", "-"},
		{"UPDATEREDIRECTREF /a HTTP/1.1", OriginForm, "/a", "host", "-"},
	} {
		h := mustParse(t, c.line+"\r\nHost: host\r\n\r\n")
		query := "-"
		if h.HasQuery {
			query = string(h.Query)
		}
		if h.Form != c.form || string(h.Path) != c.path || string(h.Authority) != c.authority || query != c.query || string(h.Host) != "host" {
			t.Errorf("%s: got %s", c.line, describe(h))
		}
	}
}

func TestVersionAndKeepAlive(t *testing.T) {
	for _, c := range []struct {
		version, connection string
		minor               int
		keep, upgrade       bool
	}{
		{"1.1", "", 1, true, false},
		{"1.0", "", 0, false, false},
		{"1.2", "", 1, true, false},
		{"1.9", "close", 1, false, false},
		{"1.1", "Connection: Close\r\n", 1, false, false},
		{"1.1", "Connection: close-ish\r\n", 1, true, false},
		{"1.1", "Connection: x,\tclose\t, y\r\n", 1, false, false},
		{"1.1", "Connection: x\r\nconnection: y,close\r\n", 1, false, false},
		{"1.1", "Connection: ,,\r\n", 1, true, false},
		{"1.1", "Connection: Upgrade\r\n", 1, true, true},
		{"1.1", "Connection: keep-alive, upgrade\r\n", 1, true, true},
		{"1.0", "Connection: Keep-Alive\r\n", 0, true, false},
		{"1.0", "Connection: keep-alive, close\r\n", 0, false, false},
		{"1.0", "Connection: keep-alive, upgrade\r\n", 0, true, false},
	} {
		field := c.connection
		if field == "close" {
			field = "Connection: close\r\n"
		}
		h := mustParse(t, "GET / HTTP/"+c.version+"\r\nHost: a\r\n"+field+"\r\n")
		if h.Minor != c.minor || h.KeepAlive != c.keep || h.Upgrade != c.upgrade {
			t.Errorf("%s %q: got minor %d, keep %v, upgrade %v", c.version, field, h.Minor, h.KeepAlive, h.Upgrade)
		}
	}
}

func TestAuthority(t *testing.T) {
	for a, want := range map[string]bool{
		"": true, "a": true, "a.b-c_d~e": true, "a:80": true, "a:": true, "a:65535": true, "1.2.3.4:5": true,
		"%41b": true, "a!$&'()*+,;=b": true, ":80": true,
		"[::]": true, "[::1]": true, "[1::]": true, "[::1]:80": true, "[::1]:": true, "[1:2:3:4:5:6:7:8]": true,
		"[1:2:3:4:5:6:7::]": true, "[::2:3:4:5:6:7:8]": true, "[::ffff:1.2.3.4]": true, "[1:2:3:4:5:6:1.2.3.4]": true,
		"[fe80::ABCD]": true, "[v1.a:b]": true, "[VF.x]": true,
		"a:65536": false, "a:99999999999999999999": false, "a:b": false, "a:1:2": false, "a:-1": false, "a:+1": false,
		"a b": false, "a/b": false, "a?b": false, "u@a": false, "a\\b": false, "a,b c": false, "caf\xe9": false,
		"%4": false, "%": false, "%zz": false, "a\"b": false, "<a>": false,
		"[": false, "[]": false, "[::1": false, "::1": false, "[::1]a": false, "[::1]]": false, "[::1%25eth0]": false,
		"[:]": false, "[:::]": false, "[1:2]": false, "[1:2:3:4:5:6:7]": false, "[1:2:3:4:5:6:7:8:9]": false,
		"[1::2::3]": false, "[:1:2:3:4:5:6:7:8]": false, "[1:2:3:4:5:6:7:8:]": false, "[12345::]": false, "[g::]": false,
		"[1:2:3:4:5:6:7:8::]": false, "[::1:2:3:4:5:6:7:8]": false, "[1:2:3:4:5:6:7:1.2.3.4]": false,
		"[::1.2.3]": false, "[::1.2.3.256]": false, "[::01.2.3.4]": false, "[::1.2.3.4.5]": false, "[::1.2.3.4:5]": false,
		"[::.1.2.3]": false, "[::1.2.3.1000]": false, "[1.2.3.4]": false, "[::1:]": false,
		"[v.a]": false, "[v1.]": false, "[v1]": false, "[vg.a]": false, "[v1.a/b]": false,
	} {
		if _, got := authority([]byte(a)); got != want {
			t.Errorf("authority(%q): got %v, want %v", a, got, want)
		}
	}
}

func TestFormString(t *testing.T) {
	for f, want := range map[Form]string{OriginForm: "origin-form", AbsoluteForm: "absolute-form", AuthorityForm: "authority-form", AsteriskForm: "asterisk-form", 9: "unknown form"} {
		if got := f.String(); got != want {
			t.Errorf("Form(%d): got %q, want %q", f, got, want)
		}
	}
}
