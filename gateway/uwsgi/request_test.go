package uwsgi_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/indrik/indrik/gateway/uwsgi"
	"github.com/indrik/indrik/http1"
)

// packet makes a packet of names and values in turn.
func packet(pairs ...string) []byte {
	vars := []byte{}
	for _, text := range pairs {
		vars = binary.LittleEndian.AppendUint16(vars, uint16(len(text)))
		vars = append(vars, text...)
	}
	b := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(vars)))
	return append(append(b, 0), vars...)
}

func parse(p []byte) (*uwsgi.Request, *http1.Head, error) {
	var r uwsgi.Request
	var h http1.Head
	limits := http1.DefaultLimits()
	err := r.Parse(p, &limits, &h)
	return &r, &h, err
}

// What nginx's uwsgi_params make of a request.
func TestAPacketOfNginx(t *testing.T) {
	p := packet("QUERY_STRING", "a=%20", "REQUEST_METHOD", "POST", "CONTENT_TYPE", "text/plain", "CONTENT_LENGTH", "5",
		"REQUEST_URI", "/a%20b?a=%20", "PATH_INFO", "/a b", "DOCUMENT_ROOT", "/srv", "SERVER_PROTOCOL", "HTTP/1.1",
		"REQUEST_SCHEME", "https", "HTTPS", "on", "REMOTE_ADDR", "192.0.2.7", "REMOTE_PORT", "4097", "SERVER_PORT", "443",
		"SERVER_NAME", "example.org", "HTTP_HOST", "example.org:8443", "HTTP_X_MANY", "1", "HTTP_X_MANY", "2",
		"HTTP_CONTENT_LENGTH", "5", "HTTP_CONTENT_TYPE", "text/plain", "HTTP_TRANSFER_ENCODING", "chunked", "wsgi.x", "forged")
	if size, err := uwsgi.Size(p); size != len(p) || err != nil {
		t.Fatalf("size is %d, %v, want %d", size, err, len(p))
	}
	for n := range uwsgi.HeadSize {
		if size, err := uwsgi.Size(p[:n]); size != 0 || err != nil {
			t.Errorf("size after %d bytes is %d, %v", n, size, err)
		}
	}
	for _, data := range []string{"G", "\x05", "\x00\x01\x00\x01"} {
		var bad *http1.Error
		if _, err := uwsgi.Size([]byte(data)); !errors.As(err, &bad) || bad.Status != 400 {
			t.Errorf("%q: %v, want 400", data, err)
		}
	}
	r, h, err := parse(p)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %s %s %v %d %d %v %s|%s:%s %s:%s %s %s %v %s|%s", h.Method, h.Target, h.Path, h.Query, h.Form, h.Minor,
		h.ContentLength, h.KeepAlive, h.Authority, r.RemoteAddr, r.RemotePort, r.ServerName, r.ServerPort, r.Protocol, r.Scheme,
		r.HTTPS, r.PathInfo, r.Extra)
	want := "POST /a%20b?a=%20 /a%20b a=%20 origin-form 0 5 false example.org:8443|192.0.2.7:4097 example.org:443 HTTP/1.1 https true " +
		fmt.Sprintf("/a b|%s", []uwsgi.Var{{Name: []byte("DOCUMENT_ROOT"), Value: []byte("/srv")}})
	if got != want || h.Size != len(p) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	fields := ""
	for _, f := range h.Fields {
		fields += fmt.Sprintf("%s: %s\n", f.Name, f.Value)
	}
	if want := "content-type: text/plain\nhost: example.org:8443\nx-many: 1\nx-many: 2\ncontent-length: 5\n"; fields != want {
		t.Errorf("got fields\n%swant\n%s", fields, want)
	}
}

func TestPacketsThatSayLess(t *testing.T) {
	_, h, err := parse(packet("REQUEST_METHOD", "GET", "PATH_INFO", "/a b", "QUERY_STRING", "q", "CONTENT_LENGTH", ""))
	if err != nil || string(h.Path) != "/a b" || string(h.Query) != "q" || !h.HasQuery || h.ContentLength != -1 || h.Host != nil {
		t.Errorf("without REQUEST_URI: %+v, %v", h, err)
	}
	r, h, err := parse(packet("REQUEST_METHOD", "OPTIONS", "REQUEST_URI", "*", "SCRIPT_NAME", "/app/", "PATH_INFO", "/x\r\ny"))
	if err != nil || h.Form != http1.AsteriskForm || string(r.ScriptName) != "/app" || string(r.PathInfo) != "/x\r\ny" {
		t.Errorf("asterisk and SCRIPT_NAME: %+v %+v, %v", r, h, err)
	}
}

func TestBadPackets(t *testing.T) {
	ok := []string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/"}
	with := func(pairs ...string) []byte { return packet(append(ok[:4:4], pairs...)...) }
	changed := func(p []byte, at int, to byte) []byte {
		p[at] = to
		return p
	}
	many := []string{}
	for i := range uwsgi.MaxVars {
		many = append(many, fmt.Sprintf("V%d", i), "")
	}
	fields := []string{}
	for range http1.DefaultFields + 1 {
		fields = append(fields, "HTTP_A", "")
	}
	for name, c := range map[string]struct {
		packet []byte
		status int
	}{
		"empty":             {packet(), 400},
		"length past end":   {changed(with(), 4, 0xff), 400},
		"half a length":     {append(changed(with(), 1, with()[1]+1), 0), 400},
		"name without":      {packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/", "X"), 400},
		"empty name":        {with("", "x"), 400},
		"no method":         {packet("REQUEST_URI", "/"), 400},
		"bad method":        {packet("REQUEST_URI", "/", "REQUEST_METHOD", "G T"), 400},
		"no target":         {packet("REQUEST_METHOD", "GET"), 400},
		"bad target":        {packet("REQUEST_METHOD", "GET", "REQUEST_URI", "x"), 400},
		"blank in target":   {packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/a b"), 400},
		"bad length":        {with("CONTENT_LENGTH", "+1"), 400},
		"huge length":       {with("CONTENT_LENGTH", "99999999999999999999"), 400},
		"CRLF in a field":   {with("HTTP_A", "b\r\nc"), 400},
		"CRLF in client":    {with("REMOTE_ADDR", "1\n2"), 400},
		"NUL in a path":     {with("PATH_INFO", "/a\x00"), 400},
		"relative path":     {with("PATH_INFO", "a"), 400},
		"relative mount":    {with("SCRIPT_NAME", "a"), 400},
		"mount of slashes":  {with("SCRIPT_NAME", "//a"), 400},
		"name no token":     {with("HTTP_A B", "c"), 400},
		"field of no name":  {with("HTTP_", "c"), 400},
		"two hosts":         {with("HTTP_HOST", "a", "HTTP_HOST", "b"), 400},
		"bad host":          {with("HTTP_HOST", "a b"), 400},
		"too many vars":     {with(many...), 431},
		"too many fields":   {with(fields...), 431},
		"large but lawful":  {with("A", strings.Repeat("x", 60000), "B", strings.Repeat("x", 5400)), 0},
		"request line long": {with("REQUEST_URI", "/"+strings.Repeat("x", http1.DefaultLine)), 414},
	} {
		_, _, err := parse(c.packet)
		var bad *http1.Error
		if c.status == 0 {
			if err != nil {
				t.Errorf("%s: %v, want nothing", name, err)
			}
		} else if !errors.As(err, &bad) || bad.Status != c.status {
			t.Errorf("%s: %v, want status %d", name, err, c.status)
		}
	}
	var r uwsgi.Request
	var h http1.Head
	small := http1.Limits{Head: 1024}
	var bad *http1.Error
	if err := r.Parse(with("A", strings.Repeat("x", 1000)), &small, &h); !errors.As(err, &bad) || bad.Status != 431 {
		t.Errorf("past limit_request_head: %v, want 431", err)
	}
}

// The memory of one packet must not show in the next.
func TestARequestForgets(t *testing.T) {
	var r uwsgi.Request
	var h http1.Head
	limits := http1.DefaultLimits()
	long := packet("REQUEST_METHOD", "PUT", "REQUEST_URI", "/a?b", "HTTP_HOST", "h", "CONTENT_LENGTH", "3", "HTTPS", "on", "X", "y", "REMOTE_ADDR", "1")
	short := packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/")
	if err := errors.Join(r.Parse(long, &limits, &h), r.Parse(short, &limits, &h)); err != nil {
		t.Fatal(err)
	}
	if h.ContentLength != -1 || h.HasQuery || len(h.Query) > 0 || len(h.Fields) > 0 || h.Host != nil || r.HTTPS || len(r.Extra) > 0 || r.RemoteAddr != nil {
		t.Errorf("left over: %+v %+v", r, h)
	}
	if n := testing.AllocsPerRun(100, func() { _ = r.Parse(long, &limits, &h) }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/a?b", "HTTP_HOST", "h", "CONTENT_LENGTH", "3", "HTTPS", "on"))
	f.Add(packet("REQUEST_METHOD", "GET", "PATH_INFO", "/", "SCRIPT_NAME", "/x", "HTTP_A_B", "c"))
	f.Add([]byte{0, 1, 0, 0, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		size, err := uwsgi.Size(data)
		if err != nil || size == 0 || len(data) < size {
			return
		}
		_, h, err := parse(data[:size])
		if err != nil {
			var bad *http1.Error
			if !errors.As(err, &bad) || bad.Status < 400 {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		if h.Size != size || http1.TokenLen(h.Method) != len(h.Method) || len(h.Path) == 0 {
			t.Errorf("%q: %+v", data, h)
		}
		for _, field := range h.Fields {
			if http1.TokenLen(field.Name) != len(field.Name) || http1.HasUnderscore(field.Name) || strings.ContainsAny(string(field.Value), "\r\n\x00") {
				t.Errorf("%q: field %q: %q", data, field.Name, field.Value)
			}
		}
	})
}
