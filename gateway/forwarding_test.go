package gateway

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/indrik/indrik/accesslog"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// admitted is what the environ says of a request from a peer at 10.0.0.1:4000 to
// a listener at 10.0.0.2:8000.
func admitted(t *testing.T, p Proxies, fields string) (dispatch.Dict, error) {
	t.Helper()
	return admittedTarget(t, p, "/x", fields)
}

func admittedTarget(t *testing.T, p Proxies, target, fields string) (dispatch.Dict, error) {
	t.Helper()
	f, err := p.forwarding()
	need(t, err)
	c := &conn{
		listener: testListener(Config{}, "10.0.0.2", "8000"),
		client:   []byte("10.0.0.1"), port: []byte("4000"), peer: peerItems([]byte("10.0.0.1"), []byte("4000")),
		trusted: f.trusted.includes(netip.MustParseAddr("10.0.0.1")),
	}
	var h http1.Head
	limits := http1.DefaultLimits()
	if complete, err := h.Parse([]byte("GET "+target+" HTTP/1.1\r\nHost: inner:8000\r\n"+fields+"\r\n"), &limits); err != nil || !complete {
		t.Fatalf("%q: complete %v, %v", fields, complete, err)
	}
	var o origin
	if err := (&gateway{forwarding: f}).admit(&o, c, &h); err != nil {
		return nil, err
	}
	var e environ
	v, err := dispatch.Unmarshal(e.append(nil, c, &h, &o, 0))
	need(t, err)
	var line logLine
	format, err := accesslog.Compile("%(h)s")
	need(t, err)
	line.ask(&ledger{rolls: []roll{{format: format}}}, c, &o, &h, 1)
	env := v.(dispatch.Dict)
	if logged := strings.TrimSuffix(string(format.Answer(nil, line.notes[0], &accesslog.Response{})), "\n"); logged != cmp.Or(env["REMOTE_ADDR"].(string), "-") {
		t.Errorf("%q: the access log's client is %q, REMOTE_ADDR is %q", fields, logged, env["REMOTE_ADDR"])
	}
	return env, nil
}

// expectEnviron compares "KEY=value" items, separated by blanks; "KEY=" wants
// the empty text, "KEY-" that there is none.
func expectEnviron(t *testing.T, what string, env dispatch.Dict, want string) {
	t.Helper()
	for item := range strings.FieldsSeq(want) {
		key, value, ok := strings.Cut(item, "=")
		got, has := env[strings.TrimSuffix(key, "-")]
		if ok && got != value || !ok && has {
			t.Errorf("%q: %s is %#v, want %s", what, key, got, item)
		}
	}
}

// A client must not be able to say who it is: what counts is what the proxies
// that we know have written, and nothing to the left of that.
func TestXForwarded(t *testing.T) {
	p := Proxies{AllowIPs: "10.0.0.0/8, fd00::/8", Family: "x-forwarded", SchemeHeaders: schemeHeaders}
	for fields, want := range map[string]string{
		"":                                  "REMOTE_ADDR=10.0.0.1 REMOTE_PORT=4000 SERVER_NAME=10.0.0.2 SERVER_PORT=8000 HTTP_HOST=inner:8000 wsgi.url_scheme=http SCRIPT_NAME=",
		"X-Forwarded-For: 192.0.2.7\r\n":    "REMOTE_ADDR=192.0.2.7 REMOTE_PORT-",
		"X-Forwarded-For: 192.0.2.7:99\r\n": "REMOTE_ADDR=192.0.2.7 REMOTE_PORT=99",
		"X-Forwarded-For: forged, 192.0.2.7, 10.1.1.1\r\n":                          "REMOTE_ADDR=192.0.2.7",
		"X-Forwarded-For: forged,192.0.2.7\r\nX-Forwarded-For: 10.1.1.1 ,, \r\n":    "REMOTE_ADDR=192.0.2.7",
		"X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n":                                   "REMOTE_ADDR=10.3.3.3",
		"X-Forwarded-For: 2001:db8::1\r\n":                                          "REMOTE_ADDR=2001:db8::1 REMOTE_PORT-",
		"X-Forwarded-For: [2001:DB8::1]:5\r\n":                                      "REMOTE_ADDR=2001:db8::1 REMOTE_PORT=5",
		"X-Forwarded-For: 192.0.2.7, fd00::1, ::ffff:10.0.0.9\r\n":                  "REMOTE_ADDR=192.0.2.7",
		"X-Forwarded-For: 192.0.2.7, unknown\r\n":                                   "REMOTE_ADDR= REMOTE_PORT-",
		"X-Forwarded-Proto: https\r\n":                                              "wsgi.url_scheme=https SERVER_PORT=8000",
		"X-Forwarded-Proto: WSS\r\n":                                                "wsgi.url_scheme=https",
		"X-Forwarded-Proto: https,http\r\n":                                         "wsgi.url_scheme=http",
		"X-Forwarded-For: 192.0.2.7, 10.1.1.1\r\nX-Forwarded-Proto: x,https,http\r": "wsgi.url_scheme=https",
		"X-Forwarded-For: 192.0.2.7, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n":      "wsgi.url_scheme=https",
		"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\n":                       "wsgi.url_scheme=https",
		"X-Forwarded-Host: example.org\r\n":                                         "SERVER_NAME=example.org SERVER_PORT=80 HTTP_HOST=example.org",
		"X-Forwarded-Host: example.org:81\r\n":                                      "SERVER_NAME=example.org SERVER_PORT=81 HTTP_HOST=example.org:81",
		"X-Forwarded-Host: forged, example.org\r\nX-Forwarded-Proto: https\r\n":     "SERVER_NAME=example.org SERVER_PORT=443 HTTP_HOST=example.org",
		"X-Forwarded-Host: [::1]:81\r\nX-Forwarded-Port: 82\r\n":                    "SERVER_NAME=[::1] SERVER_PORT=82 HTTP_HOST=[::1]:82",
		"X-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n":                     "SERVER_NAME=inner SERVER_PORT=443 HTTP_HOST=inner",
		"X-Forwarded-Prefix: /app/\r\n":                                             "SCRIPT_NAME=/app PATH_INFO=/x",
		"X-Forwarded-Prefix: /\r\n":                                                 "SCRIPT_NAME= PATH_INFO=/x",
		"X-Forwarded-Prefix: /x\r\n":                                                "SCRIPT_NAME=/x PATH_INFO=",
		"Forwarded: for=192.0.2.9;proto=https;host=h\r\n":                           "REMOTE_ADDR=10.0.0.1 wsgi.url_scheme=http HTTP_HOST=inner:8000",
	} {
		if !strings.HasSuffix(fields, "\n") && fields != "" {
			fields += "\n"
		}
		env, err := admitted(t, p, fields)
		if err != nil {
			t.Errorf("%q: %v", fields, err)
			continue
		}
		expectEnviron(t, fields, env, want)
	}
}

// Proxies that are trusted and write nonsense are misconfigured: a guess would
// be the client's choice.
func TestMalformedForwardingIsRefused(t *testing.T) {
	x := Proxies{AllowIPs: "10.0.0.1", Family: "x-forwarded", SchemeHeaders: schemeHeaders}
	rfc := Proxies{AllowIPs: "10.0.0.1", Family: "forwarded"}
	for fields, p := range map[string]Proxies{
		"X-Forwarded-For: 192.0.2.256":                            x,
		"X-Forwarded-For: example.org":                            x,
		"X-Forwarded-For: 192.0.2.1:0":                            x,
		"X-Forwarded-For: 192.0.2.1:65536":                        x,
		"X-Forwarded-For: [192.0.2.1]":                            x,
		"X-Forwarded-For: [::1]x":                                 x,
		"X-Forwarded-For: [::1":                                   x,
		"X-Forwarded-For: fe80::1%eth0":                           x,
		"X-Forwarded-For: \"192.0.2.1\"":                          x,
		"X-Forwarded-Proto: ftp":                                  x,
		"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off":        x,
		"X-Forwarded-Host: a b":                                   x,
		"X-Forwarded-Host: u@h":                                   x,
		"X-Forwarded-Host: :80":                                   x,
		"X-Forwarded-Port: 0":                                     x,
		"X-Forwarded-Port: _p":                                    x,
		"X-Forwarded-Port: 123456":                                x,
		"X-Forwarded-Prefix: app":                                 x,
		"X-Forwarded-Prefix: //evil.example":                      x,
		"X-Forwarded-Prefix: /%2fevil.example":                    x,
		"X-Forwarded-Prefix: /a?b":                                x,
		"X-Forwarded-Prefix: /a%00":                               x,
		"Forwarded: for=192.0.2.300":                              rfc,
		"Forwarded: for":                                          rfc,
		"Forwarded: for=":                                         rfc,
		"Forwarded: for=a b":                                      rfc,
		"Forwarded: for=\"192.0.2.1":                              rfc,
		"Forwarded: for=\"192.0.2.1\\":                            rfc,
		"Forwarded: for=\"192.0.2.1\"x":                           rfc,
		"Forwarded: for=192.0.2.1;for=192.0.2.2":                  rfc,
		"Forwarded: for=192.0.2.1;proto=ftp":                      rfc,
		"Forwarded: for=192.0.2.1;host=\"a b\"":                   rfc,
		"Forwarded: for=\"forged, for=192.0.2.1":                  rfc,
		"Forwarded: for=\"forged\r\nForwarded: for=10.0.0.1":      rfc,
		"X-Forwarded-For: 192.0.2.1\r\nForwarded: =1":             rfc,
		"X-Forwarded-Proto: https\r\nX-Forwarded-Protocol: http":  {AllowIPs: "*", SchemeHeaders: schemeHeaders},
		"X_Forwarded_Proto: https":                                {HeaderMap: "refuse"},
		"X_Forwarded_Proto: https\r\nX-Forwarded-Proto:    https": {AllowIPs: "*", ForwarderHeaders: []string{"SCRIPT_NAME"}, HeaderMap: "refuse"},
	} {
		_, err := admitted(t, p, fields+"\r\n")
		var bad *http1.Error
		if !errors.As(err, &bad) || bad.Status != 400 {
			t.Errorf("%q gave %v, want 400", fields, err)
		}
		if p.HeaderMap != "" {
			continue
		}
		p.AllowIPs = "10.0.0.3"
		env, err := admitted(t, p, fields+"\r\n")
		if err != nil {
			t.Errorf("%q from one who is not believed: %v", fields, err)
			continue
		}
		expectEnviron(t, fields, env, "REMOTE_ADDR=10.0.0.1 wsgi.url_scheme=http HTTP_HOST=inner:8000 SCRIPT_NAME= PATH_INFO=/x")
	}
}

func TestForwarded(t *testing.T) {
	p := Proxies{AllowIPs: "10.0.0.0/8", Family: "forwarded", SchemeHeaders: schemeHeaders}
	for fields, want := range map[string]string{
		"Forwarded: for=192.0.2.7;proto=https;by=10.0.0.1;host=example.org\r\n": "REMOTE_ADDR=192.0.2.7 wsgi.url_scheme=https HTTP_HOST=example.org SERVER_NAME=example.org SERVER_PORT=443",
		"forwarded: For=\"[2001:db8::1]:80\" ; ;HOST=\"h\\:8\"\r\n":             "REMOTE_ADDR=2001:db8::1 REMOTE_PORT=80 HTTP_HOST=h:8 wsgi.url_scheme=http",
		"Forwarded: for=x;host=forged, for=192.0.2.7;host=real, for=10.1.1.1\r": "REMOTE_ADDR=192.0.2.7 HTTP_HOST=real",
		"Forwarded: for=192.0.2.7\r\nForwarded: for=10.1.1.1,,\r\n":             "REMOTE_ADDR=192.0.2.7 HTTP_HOST=inner:8000",
		"Forwarded: for=192.0.2.7, for=unknown\r\n":                             "REMOTE_ADDR= REMOTE_PORT-",
		"Forwarded: for=192.0.2.7, for=_hidden;proto=https\r\n":                 "REMOTE_ADDR= wsgi.url_scheme=https",
		"Forwarded: for=192.0.2.7, proto=https\r\n":                             "REMOTE_ADDR= wsgi.url_scheme=https",
		"Forwarded: for=\"192.0.2.7:_port\"\r\n":                                "REMOTE_ADDR=192.0.2.7 REMOTE_PORT-",
		"Forwarded: for=192.0.2.7:80;x=y\r\n":                                   "REMOTE_ADDR=192.0.2.7 REMOTE_PORT=80",
		"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n":            "REMOTE_ADDR=10.0.0.1 wsgi.url_scheme=http",
	} {
		if !strings.HasSuffix(fields, "\n") {
			fields += "\n"
		}
		env, err := admitted(t, p, fields)
		if err != nil {
			t.Errorf("%q: %v", fields, err)
			continue
		}
		expectEnviron(t, fields, env, want)
	}
}

// Names that differ in dashes and underscores are one key of the environ. A
// client must not get past a proxy that knows only one of them.
func TestUnderscores(t *testing.T) {
	listed := Proxies{AllowIPs: "10.0.0.1", ForwarderHeaders: []string{"SCRIPT_NAME", "remote_user"}}
	stranger := listed
	stranger.AllowIPs = ""
	dangerous := Proxies{HeaderMap: "dangerous"}
	for _, c := range []struct {
		p            Proxies
		fields, want string
	}{
		{Proxies{}, "X_User: a\r\nX-User: b\r\n", "HTTP_X_USER=b"},
		{Proxies{}, "X_User: a\r\n", "HTTP_X_USER-"},
		{dangerous, "X_User: a\r\nX-Other: b\r\n", "HTTP_X_USER=a HTTP_X_OTHER=b"},
		{dangerous, "X_User: a\r\nX-User: b\r\nX_USER: c\r\n", "HTTP_X_USER=b"},
		{dangerous, "X_User-A: a\r\nX-User_A: b\r\n", "HTTP_X_USER_A=a,b"},
		{dangerous, "Content_Length: 5\r\nTransfer_Encoding: x\r\nContent_Type: y\r\n", "CONTENT_LENGTH- CONTENT_TYPE- HTTP_CONTENT_TYPE=y"},
		{listed, "Remote_User: a\r\nREMOTE-USER: forged\r\n", "HTTP_REMOTE_USER=a"},
		{listed, "Other_Name: a\r\n", "HTTP_OTHER_NAME-"},
		{stranger, "Remote_User: forged\r\nSCRIPT_NAME: /x\r\n", "HTTP_REMOTE_USER- SCRIPT_NAME= PATH_INFO=/x"},
		{Proxies{AllowIPs: "*", ForwarderHeaders: []string{"*"}}, "Other_Name: a\r\n", "HTTP_OTHER_NAME=a"},
		{listed, "SCRIPT_NAME: /x\r\n", "SCRIPT_NAME=/x PATH_INFO= HTTP_SCRIPT_NAME=/x"},
		{listed, "SCRIPT_NAME: /x\r\nScript-Name: /forged\r\n", "SCRIPT_NAME=/x HTTP_SCRIPT_NAME=/x"},
		{listed, "Script-Name: /x\r\n", "SCRIPT_NAME= PATH_INFO=/x"},
	} {
		env, err := admitted(t, c.p, c.fields)
		if err != nil {
			t.Errorf("%q: %v", c.fields, err)
			continue
		}
		expectEnviron(t, c.fields, env, c.want)
	}
	if _, err := admitted(t, listed, "SCRIPT_NAME: /y\r\n"); !errors.Is(err, errMount) || answerTo(err).status != 500 {
		t.Errorf("a path that is not below SCRIPT_NAME gave %v, want errMount and 500", err)
	}
}

// A prefix is a whole number of path segments.
func TestMountPoints(t *testing.T) {
	p := Proxies{AllowIPs: "*", Family: "x-forwarded"}
	for target, want := range map[string]string{
		"/app/x":     "SCRIPT_NAME=/app PATH_INFO=/x RAW_URI=/app/x",
		"/%61pp/x":   "SCRIPT_NAME=/app PATH_INFO=/x",
		"/app":       "SCRIPT_NAME=/app PATH_INFO=",
		"/app/":      "SCRIPT_NAME=/app PATH_INFO=/",
		"/apple":     "SCRIPT_NAME=/app PATH_INFO=/apple",
		"/x":         "SCRIPT_NAME=/app PATH_INFO=/x",
		"http://h/x": "SCRIPT_NAME=/app PATH_INFO=/x HTTP_HOST=h", // the target's authority replaces Host (RFC 9112 section 3.2.2)
	} {
		env, err := admittedTarget(t, p, target, "X-Forwarded-Prefix: /app\r\n")
		need(t, err)
		expectEnviron(t, target, env, want)
	}
}

// What was found for one request must not be seen by the next.
func TestAnOriginForgets(t *testing.T) {
	f, err := Proxies{AllowIPs: "*", Family: "x-forwarded", ForwarderHeaders: []string{"SCRIPT_NAME"}, SchemeHeaders: schemeHeaders}.forwarding()
	need(t, err)
	c := &conn{listener: testListener(Config{}, "10.0.0.2", "8000"), trusted: true, peer: peerItems(nil, nil)}
	var o origin
	var e environ
	read := func(fields string) dispatch.Dict {
		var h http1.Head
		limits := http1.DefaultLimits()
		_, err := h.Parse([]byte("GET /x HTTP/1.1\r\nHost: h\r\n"+fields+"\r\n"), &limits)
		need(t, err)
		need(t, (&gateway{forwarding: f}).admit(&o, c, &h))
		v, err := dispatch.Unmarshal(e.append(nil, c, &h, &o, 0))
		need(t, err)
		return v.(dispatch.Dict)
	}
	plain := read("")
	for _, fields := range []string{
		"X-Forwarded-For: 192.0.2.1:5\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a:9\r\nX-Forwarded-Prefix: /x\r\n",
		"SCRIPT_NAME: /x\r\n",
	} {
		read(fields)
		if again := read(""); !maps.Equal(again, withoutTuples(plain, again)) {
			t.Errorf("after %q: %v, want %v", fields, again, plain)
		}
	}
}

// withoutTuples is want with the values of got that cannot be compared.
func withoutTuples(want, got dispatch.Dict) dispatch.Dict {
	out := maps.Clone(want)
	out["wsgi.version"] = nil
	got["wsgi.version"] = nil
	return out
}

// Whatever proxies send, it is believed or refused; and what is believed can be
// written into an environ.
func FuzzForwarding(f *testing.F) {
	for _, fields := range []string{
		"X-Forwarded-For: a, 192.0.2.7:1\r\nX-Forwarded-Host: h:1\r\nX-Forwarded-Prefix: /a%20b\r\n",
		"Forwarded: for=\"[::1]:80\";proto=https;host=\"a\\b\", for=_x\r\nX_A: b\r\nX-A: c\r\n",
		"SCRIPT_NAME: /x\r\nX-Forwarded-Proto: http, https\r\nX-Forwarded-Port: 1,2\r\n",
	} {
		f.Add(fields, true)
		f.Add(fields, false)
	}
	families := map[bool]forwarding{}
	for family, name := range map[bool]string{true: "x-forwarded", false: "forwarded"} {
		p, err := Proxies{AllowIPs: "10.0.0.0/8", Family: name, HeaderMap: "dangerous", ForwarderHeaders: []string{"SCRIPT_NAME"}, SchemeHeaders: schemeHeaders}.forwarding()
		need(f, err)
		families[family] = p
	}
	limits := http1.DefaultLimits()
	f.Fuzz(func(t *testing.T, fields string, family bool) {
		var h http1.Head
		if complete, err := h.Parse([]byte("GET /x HTTP/1.1\r\nHost: h\r\n"+fields+"\r\n\r\n"), &limits); err != nil || !complete {
			return
		}
		c := &conn{listener: testListener(Config{}, "10.0.0.2", "8000"), trusted: true}
		var o origin
		if (&gateway{forwarding: families[family]}).admit(&o, c, &h) != nil {
			return
		}
		var e environ
		v, err := dispatch.Unmarshal(e.append(nil, c, &h, &o, 0))
		need(t, err)
		env := v.(dispatch.Dict)
		if address, ok := env["REMOTE_ADDR"].(string); ok && address != "" {
			if _, err := netip.ParseAddr(address); err != nil {
				t.Errorf("%q: REMOTE_ADDR is %q", fields, address)
			}
		}
		if host := env["HTTP_HOST"].(string); !http1.ValidAuthority([]byte(host)) {
			t.Errorf("%q: HTTP_HOST is %q", fields, host)
		}
		if script := env["SCRIPT_NAME"].(string); script != "" && (script[0] != '/' || strings.HasPrefix(script, "//")) {
			t.Errorf("%q: SCRIPT_NAME is %q", fields, script)
		}
	})
}
