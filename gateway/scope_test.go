package gateway

import (
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/http1"
)

// scopeOf is the scope of a request on a listener at 127.0.0.1:8000, as Python
// would load it.
func scopeOf(t *testing.T, kind scopeKind, head, prefix, mount string) dispatch.Dict {
	t.Helper()
	c := &conn{listener: testListener(Config{}, "127.0.0.1", "8000"), client: []byte("192.0.2.1"), port: []byte("4000")}
	return scopeFrom(t, kind, c, head, prefix, mount)
}

func scopeFrom(t *testing.T, kind scopeKind, c *conn, head, prefix, mount string) dispatch.Dict {
	t.Helper()
	var h http1.Head
	limits := http1.DefaultLimits()
	if complete, err := h.Parse([]byte(head), &limits); err != nil || !complete {
		t.Fatalf("%q: %v", head, err)
	}
	var o origin
	need(t, (&gateway{}).admit(&o, c, &h))
	o.prefix = []byte(prefix)
	need(t, o.locate(&h))
	var s scope
	v, err := dispatch.Unmarshal(s.append(nil, kind, c, &h, &o, mount))
	need(t, err)
	if kind == webSocketScope {
		return v.(dispatch.Dict)
	}
	return workersScope(t, v.(dispatch.Tuple))
}

// workersScope is what the worker makes of the values of a request's scope
// (python/indrik/asgi_scope.py).
func workersScope(t *testing.T, values dispatch.Tuple) dispatch.Dict {
	t.Helper()
	keys := []string{"http_version", "method", "scheme", "root_path", "path", "raw_path", "query_string", "client", "server", "headers", "extensions"}
	if len(values) != len(keys) {
		t.Fatalf("%d values in %v", len(values), values)
	}
	d := dispatch.Dict{"type": "http", "asgi": dispatch.Dict{"version": "3.0", "spec_version": "2.5"}}
	for i, key := range keys {
		d[key] = values[i]
	}
	names := []string{"http.response.pathsend", "http.response.early_hint", "http.response.trailers"}
	able := dispatch.Dict{}
	for _, name := range names[:1+d["extensions"].(int64)] {
		able[name] = dispatch.Dict{}
	}
	d["extensions"] = able
	return d
}

func TestTheScopeSaysWhatASGIAsksFor(t *testing.T) {
	got := scopeOf(t, httpScope, "POST /a%20%C3%BC?q=%20 HTTP/1.1\r\nHost: x\r\nCookie: a\r\nX-Many: \xff\r\ncookie: b\r\n"+
		"Proxy: p\r\nContent-Length: 3\r\nTE: gzip, Trailers\r\n\r\n", "", "")
	pair := func(name, value string) dispatch.Tuple { return dispatch.Tuple{[]byte(name), []byte(value)} }
	want := dispatch.Dict{
		"type": "http", "asgi": dispatch.Dict{"version": "3.0", "spec_version": "2.5"},
		"http_version": "1.1", "method": "POST", "scheme": "http",
		"root_path": "", "path": "/a ü", "raw_path": []byte("/a%20%C3%BC"), "query_string": []byte("q=%20"),
		"client": dispatch.Tuple{"192.0.2.1", int64(4000)}, "server": dispatch.Tuple{"127.0.0.1", int64(8000)},
		"headers": dispatch.List{pair("host", "x"), pair("cookie", "a"), pair("x-many", "\xff"), pair("cookie", "b"),
			pair("content-length", "3"), pair("te", "gzip, Trailers")},
		"extensions": dispatch.Dict{"http.response.pathsend": dispatch.Dict{}, "http.response.early_hint": dispatch.Dict{},
			"http.response.trailers": dispatch.Dict{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

// What a client cannot take must not be offered to the application: it would
// wait for nothing, or leave out what it should have sent in the body.
func TestTheScopeOffersWhatTheClientCanTake(t *testing.T) {
	tests := []struct {
		kind scopeKind
		head string
		want []string
	}{
		{httpScope, "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n", []string{"http.response.pathsend"}},
		{httpScope, "GET / HTTP/1.1\r\nHost: x\r\nTE: trailersx\r\n\r\n", []string{"http.response.early_hint", "http.response.pathsend"}},
		{webSocketScope, "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n\r\n", []string{"websocket.http.response"}},
	}
	for _, test := range tests {
		var got []string
		for name := range scopeOf(t, test.kind, test.head, "", "")["extensions"].(dispatch.Dict) {
			got = append(got, name)
		}
		if slices.Sort(got); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.head, got, test.want)
		}
	}
}

func TestTheScopeOfAWebSocket(t *testing.T) {
	got := scopeOf(t, webSocketScope, "GET /chat HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: a, b,\r\nsec-websocket-protocol: c\r\n\r\n", "", "")
	if _, has := got["method"]; has || got["type"] != "websocket" || got["scheme"] != "ws" {
		t.Errorf("got method %v, type %v, scheme %v", got["method"], got["type"], got["scheme"])
	}
	if want := (dispatch.List{"a", "b", "c"}); !reflect.DeepEqual(got["subprotocols"], want) {
		t.Errorf("subprotocols: got %v, want %v", got["subprotocols"], want)
	}
	for secure, want := range map[string]string{"http": "ws", "https": "wss"} {
		if got := scopeScheme(webSocketScope, secure); got != want {
			t.Errorf("%s: got %s, want %s", secure, got, want)
		}
	}
}

// An application takes its root path off the path; it must be there whoever put
// it: the proxy that left it in place, the one that took it away, or a setting.
func TestTheRootPathBeginsThePath(t *testing.T) {
	tests := []struct{ target, prefix, mount, root, path, raw string }{
		{"/x%2Fy", "", "", "", "/x/y", "/x%2Fy"},
		{"/x%2Fy", "/api", "", "/api", "/api/x/y", "/api/x%2Fy"},
		{"/x%2Fy", "", "/api", "/api", "/api/x/y", "/api/x%2Fy"},
		{"/x", "/proxy", "/api", "/proxy", "/proxy/x", "/proxy/x"},
		{"/%ff%C3%BC", "", "", "", "/\uFFFDü", "/%ff%C3%BC"},
	}
	for _, test := range tests {
		got := scopeOf(t, httpScope, "GET "+test.target+" HTTP/1.1\r\nHost: x\r\n\r\n", test.prefix, test.mount)
		if got["root_path"] != test.root || got["path"] != test.path || string(got["raw_path"].([]byte)) != test.raw {
			t.Errorf("%+v: got %q, %q, %q", test, got["root_path"], got["path"], got["raw_path"])
		}
	}
	got := scopeOf(t, httpScope, "GET /api/x%2Fy HTTP/1.1\r\nHost: x\r\n\r\n", "/api", "")
	if got["root_path"] != "/api" || got["path"] != "/api/x/y" || string(got["raw_path"].([]byte)) != "/api/x%2Fy" {
		t.Errorf("a prefix that the target carries: got %q, %q and %q", got["root_path"], got["path"], got["raw_path"])
	}
}

func TestTheScopeOfAUnixSocketHasNoAddresses(t *testing.T) {
	ln := testListener(Config{}, "", "")
	ln.unix = true
	got := scopeFrom(t, httpScope, &conn{listener: ln}, "GET / HTTP/1.1\r\nHost: example.org:81\r\n\r\n", "", "")
	if got["client"] != nil || got["server"] != nil {
		t.Errorf("got client %v and server %v, want None", got["client"], got["server"])
	}
}

// Every head that the parser accepts must become a scope that Python can load,
// whose fields are those of the head and nothing else.
func FuzzScope(f *testing.F) {
	f.Add([]byte("GET /a%20b%ff?c HTTP/1.1\r\nHost: x\r\nCookie: a\r\nCookie: b\r\nX-A: \xff\r\nTE: trailers\r\n\r\n"))
	f.Add([]byte("POST http://h:1/ HTTP/1.0\r\nContent-Length: 3\r\nX_A: 1\r\nProxy: p\r\nSec-WebSocket-Protocol: a, ,b\r\n\r\n"))
	limits := http1.DefaultLimits()
	c := &conn{listener: testListener(Config{}, "host", "80")}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h http1.Head
		var o origin
		var s scope
		if complete, err := h.Parse(raw, &limits); err != nil || !complete || o.trace(c, &h, &forwarding{}) != nil {
			return
		}
		for _, kind := range []scopeKind{httpScope, webSocketScope} {
			v, err := dispatch.Unmarshal(s.append(nil, kind, c, &h, &o, "/m"))
			if err != nil {
				t.Fatalf("%v for %q", err, raw)
			}
			got, ok := v.(dispatch.Dict)
			if !ok {
				got = workersScope(t, v.(dispatch.Tuple))
			}
			path, _ := got["path"].(string)
			if !utf8.ValidString(path) || got["root_path"] != "/m" || got["scheme"] == "" {
				t.Errorf("%q: path %q, root_path %q, scheme %q", raw, path, got["root_path"], got["scheme"])
			}
			if string(got["query_string"].([]byte)) != string(h.Query) {
				t.Errorf("%q: query_string %q", raw, got["query_string"])
			}
			if fields := len(got["headers"].(dispatch.List)); fields > len(h.Fields) {
				t.Errorf("%q: %d fields", raw, fields)
			}
		}
	})
}

func TestTheScopeAllocatesNothing(t *testing.T) {
	rig := newBench(t)
	var h http1.Head
	limits := http1.DefaultLimits()
	_, err := h.Parse(rig.request, &limits)
	need(t, err)
	var s scope
	var o origin
	var out []byte
	build := func() {
		need(t, o.trace(rig.conn, &h, &forwarding{}))
		out = s.append(out[:0], httpScope, rig.conn, &h, &o, "/mount")
	}
	build()
	if n := testing.AllocsPerRun(100, build); n > 0 {
		t.Errorf("%v allocations per scope, want none", n)
	}
}

// BenchmarkScope is the marshalling of a browser-like request alone.
func BenchmarkScope(b *testing.B) {
	rig := newBench(b)
	var h http1.Head
	limits := http1.DefaultLimits()
	_, err := h.Parse(rig.request, &limits)
	need(b, err)
	var s scope
	var o origin
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		need(b, o.trace(rig.conn, &h, &rig.loop.gateway.forwarding))
		out = s.append(out[:0], httpScope, rig.conn, &h, &o, "")
	}
}
