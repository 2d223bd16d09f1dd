package http1

import "testing"

func TestParseBrowserHead(t *testing.T) {
	in := "GET /a%20b?x=1 HTTP/1.1\r\nHost: example.org:8000\r\nConnection: keep-alive\r\n\r\nrest"
	lim := DefaultLimits()
	var h Head
	ok, err := h.Parse([]byte(in), &lim)
	if !ok || err != nil || string(h.Path) != "/a%20b" || string(h.Query) != "x=1" || !h.KeepAlive || h.Size != len(in)-4 {
		t.Fatalf("got %v, %v, %+v", ok, err, h)
	}
}
