package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// Whatever an application answers, what goes to the client is one response: its
// values cannot begin another header, end the head, or leave bytes behind that
// would be taken for the next response.
func FuzzReply(f *testing.F) {
	f.Add("200 OK", "Content-Type", "text/plain", "X-A", "b", []byte("body"), true)
	f.Add("204 No Content", "Content-Length", "4", "Set-Cookie", "a\r\nb: c", []byte("body"), false)
	f.Add("404", "content-length", "2", "Transfer-Encoding", "chunked", []byte("body"), true)
	f.Add("200 \u20ac", "X", "\u00e4", "Y", "\u20ac", []byte{}, true)
	f.Fuzz(func(t *testing.T, status, n1, v1, n2, v2 string, body []byte, keep bool) {
		message := dispatch.AppendText(nil, status)
		message = dispatch.AppendTuple(dispatch.AppendList(message, 2), 2)
		message = dispatch.AppendText(dispatch.AppendText(message, n1), v1)
		message = dispatch.AppendTuple(message, 2)
		message = dispatch.AppendText(dispatch.AppendText(message, n2), v2)
		var rd dispatch.Reader
		rd.Reset(message)
		state := asked{minor: 1, keep: keep}
		out, facts, err := appendReplyHead(nil, &rd, []byte("Date: x\r\n"), state)
		if err != nil {
			return
		}
		out = appendFinished(out, facts, body, &state)
		in := bufio.NewReader(bytes.NewReader(out))
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%v in %q", err, out)
		}
		got, err := io.ReadAll(response.Body)
		switch {
		case facts.bodiless && len(got) > 0:
			t.Errorf("status %d came with a body: %q", facts.status, out)
		case err != nil && facts.length <= int64(len(body)):
			t.Errorf("%v in %q", err, out)
		case !bytes.HasPrefix(body, got):
			t.Errorf("body %q came as %q", body, got)
		}
		if rest, _ := io.ReadAll(in); len(rest) > 0 && !facts.bodiless {
			t.Errorf("%q follows the response", rest)
		}
		for name := range response.Header {
			switch name {
			case http.CanonicalHeaderKey(n1), http.CanonicalHeaderKey(n2), "Date", "Server", "Content-Length", "Connection":
			default:
				t.Errorf("a header %q that nobody gave, in %q", name, out)
			}
		}
	})
}

// Every head that the parser accepts must become a message that Python can load,
// with the client unable to set a variable that is not its to set.
func FuzzEnviron(f *testing.F) {
	f.Add([]byte("GET /a%20b?c HTTP/1.1\r\nHost: x\r\nCookie: a\r\nCookie: b\r\nX-A: \xff\r\n\r\n"))
	f.Add([]byte("POST http://h:1/ HTTP/1.0\r\nContent-Length: 3\r\nX_A: 1\r\nProxy: p\r\nContent-Type: t\r\n\r\n"))
	limits := http1.DefaultLimits()
	c := &conn{listener: testListener(Config{}, "host", "80")}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h http1.Head
		if complete, err := h.Parse(raw, &limits); err != nil || !complete {
			return
		}
		var e environ
		var o origin
		if (&gateway{}).admit(&o, c, &h) != nil {
			return
		}
		message := e.append(nil, c, &h, &o, 7)
		v, err := dispatch.Unmarshal(message)
		if err != nil {
			t.Fatalf("%v for %q", err, raw)
		}
		env := v.(dispatch.Dict)
		for key, value := range env {
			if _, ok := value.(string); key[0] != 'w' && !ok {
				t.Errorf("%s is %#v", key, value)
			}
		}
		if env["SERVER_NAME"] != "host" || env["wsgi.url_scheme"] != "http" || env["HTTP_PROXY"] != nil {
			t.Errorf("%q reached what is not the client's: %v", raw, env)
		}
	})
}
