package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// FuzzHead holds Parse to what doc.go promises: how the bytes are split decides
// nothing, refusals are final, and what net/http also accepts it understands in
// the same way.
func FuzzHead(f *testing.F) {
	for _, s := range goodHeads {
		f.Add([]byte(s))
	}
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n z\r\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := Limits{Line: 200, Fields: 8, FieldSize: 200, Head: 1000}
		var whole Head
		ok, err := whole.Parse(in, &lim)
		checkError(t, err)
		checkSplits(t, in, &lim, &whole, ok, err)
		if !ok {
			return
		}
		head := in[:whole.Size]
		ends := bytes.Count(head, []byte("\r\n"))
		if len(head) > lim.Head || len(whole.Fields) > lim.Fields || bytes.IndexByte(head, 0) >= 0 ||
			bytes.Count(head, []byte("\r")) != ends || bytes.Count(head, []byte("\n")) != ends {
			t.Fatalf("accepted %q past the rules", head)
		}
		compare(t, head, &whole)
	})
}

// checkError wants a complete *Error or none.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if err == nil {
		return
	}
	if !errors.As(err, &e) || Phrase(e.Status) == "" || e.Reason == "" {
		t.Fatalf("got %#v, want a complete *Error", err)
	}
}

// checkSplits feeds in byte by byte, and wants the outcome of the whole at the
// same byte. A head refused as a whole may be refused earlier, never later.
func checkSplits(t *testing.T, in []byte, lim *Limits, whole *Head, ok bool, err error) {
	t.Helper()
	var h Head
	for n := range len(in) + 1 {
		gotOK, gotErr := h.Parse(in[:n], lim)
		checkError(t, gotErr)
		switch {
		case gotErr != nil && err == nil:
			t.Fatalf("%q: refused at %d with %v, as a whole not", in, n, gotErr)
		case gotErr != nil:
			return
		case gotOK && (!ok || n != whole.Size):
			t.Fatalf("%q: complete at %d; as a whole %v at %d, %v", in, n, ok, whole.Size, err)
		case gotOK:
			if got, want := describe(&h), describe(whole); got != want {
				t.Fatalf("%q byte by byte:\ngot  %s\nwant %s", in, got, want)
			}
			return
		}
	}
	if ok || err != nil {
		t.Fatalf("%q: incomplete byte by byte; as a whole %v, %v", in, ok, err)
	}
}

// compare asks net/http about a head that we accept.
func compare(t *testing.T, head []byte, h *Head) {
	t.Helper()
	head = bytes.TrimPrefix(head, []byte("\r\n"))
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return // we follow other rules for some URIs; net/http is no judge of acceptance
	}
	if req.Method != string(h.Method) || req.RequestURI != string(h.Target) {
		t.Fatalf("%q: got %s %s, net/http has %s %s", head, h.Method, h.Target, req.Method, req.RequestURI)
	}
	if !bytes.ContainsRune(h.Authority, '%') && req.Host != string(h.Authority) {
		t.Fatalf("%q: got authority %q, net/http has host %q", head, h.Authority, req.Host)
	}
	if chunked := len(req.TransferEncoding) == 1 && req.TransferEncoding[0] == "chunked"; chunked != h.Chunked {
		t.Fatalf("%q: got chunked %v, net/http has %v", head, h.Chunked, req.TransferEncoding)
	}
	if !h.Chunked && req.ContentLength != max(0, h.ContentLength) {
		t.Fatalf("%q: got length %d, net/http has %d", head, h.ContentLength, req.ContentLength)
	}
	if req.Close == h.KeepAlive {
		t.Fatalf("%q: got keep-alive %v, net/http has close %v", head, h.KeepAlive, req.Close)
	}
	if h.Form == OriginForm && req.URL.RawQuery != string(h.Query) {
		t.Fatalf("%q: got query %q, net/http has %q", head, h.Query, req.URL.RawQuery)
	}
	compareFields(t, head, h, req.Header)
}

// compareFields leaves out what net/http takes from the header or adds to it.
func compareFields(t *testing.T, head []byte, h *Head, theirs http.Header) {
	t.Helper()
	ours := make(http.Header)
	for _, f := range h.Fields {
		ours.Add(string(f.Name), string(f.Value))
	}
	for _, name := range []string{"Host", "Transfer-Encoding", "Trailer", "Pragma", "Cache-Control"} {
		ours.Del(name)
		theirs.Del(name)
	}
	if len(ours) != len(theirs) {
		t.Fatalf("%q: got fields %q, net/http has %q", head, ours, theirs)
	}
	for name, values := range ours {
		if strings.Join(values, "\n") != strings.Join(theirs[name], "\n") {
			t.Fatalf("%q: got %s %q, net/http has %q", head, name, values, theirs[name])
		}
	}
}

// FuzzChunked decodes the same bytes whole, in pieces, with little room and in
// place, wants the same of each, and asks net/http's reader about the body.
func FuzzChunked(f *testing.F) {
	for _, c := range goodBodies {
		f.Add([]byte(c.in), uint8(3))
	}
	for _, s := range []string{"1;a\rb\r\n", "8000000000000000\r\n", "1\r\nab\r\n", "0\r\nHost: a\r\n\r\n"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		body, used, done, err := decode(in, len(in)+1, len(in)+1)
		checkError(t, err)
		room := int(step)%7 + 1
		for _, by := range []int{1, int(step) + 1} {
			b, u, d, e := decode(in, by, room)
			if !bytes.Equal(b, body) || u != used || d != done || (e == nil) != (err == nil) {
				t.Fatalf("%q by %d, room %d: got %q, %d, %v, %v\nas a whole %q, %d, %v, %v", in, by, room, b, u, d, e, body, used, done, err)
			}
		}
		var c Chunked
		same := bytes.Clone(in)
		if n, m, d, _ := c.Decode(same, same); !bytes.Equal(same[:n], body) || m != used || d != done || !bytes.Equal(same[m:], in[m:]) {
			t.Fatalf("%q in place: got %q, %d, %v", in, same[:n], m, d)
		}
		if !done {
			return
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if err == nil && !bytes.Equal(theirs, body) {
			t.Fatalf("%q: got %q, net/http has %q", in, body, theirs)
		}
	})
}
