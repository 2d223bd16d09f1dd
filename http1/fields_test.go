package http1

import (
	"strings"
	"testing"
)

// Each of these lines has let a request through to the wrong reader somewhere.
func TestFieldRefusals(t *testing.T) {
	for _, c := range []struct {
		name, fields string
		status       int
	}{
		{"space before colon", "X : a\r\n", 400},
		{"tab before colon", "X\t: a\r\n", 400},
		{"space in name", "X Y: a\r\n", 400},
		{"no name", ": a\r\n", 400},
		{"no colon", "X\r\n", 400},
		{"fold by space", "X: a\r\n b\r\n", 400},
		{"fold by tab", "X: a\r\n\tb\r\n", 400},
		{"line of blanks", " \r\n", 400},
		{"name in latin-1", "X\xe9: a\r\n", 400},
		{"name with delimiter", "X(Y): a\r\n", 400},
		{"name with NUL", "X\x00: a\r\n", 400},
		{"bare LF", "X: a\n", 400},
		{"bare LF, then a field", "X: a\nContent-Length: 5\r\n", 400},
		{"bare CR", "X: a\rContent-Length: 5\r\n", 400},
		{"CR CR LF", "X: a\r\r\n", 400},
		{"bare LF as empty line", "X: a\r\n\n", 400},
		{"NUL", "X: a\x00b\r\n", 400},
		{"DEL", "X: a\x7fb\r\n", 400},
		{"escape", "X: long enough for a word \x1b and more\r\n", 400},
		{"vertical tab", "X: a\x0bb\r\n", 400},

		{"Host twice", "Host: h\r\n", 400},
		{"Host twice in other case", "hOST: i\r\n", 400},
		{"Content-Type twice", "Content-Type: a/b\r\nContent-type: a/b\r\n", 400},
		{"expectation", "Expect: 200-ok\r\n", 417},
		{"two expectations", "Expect: 100-continue, x\r\n", 417},

		{"length twice", "Content-Length: 5\r\nContent-Length: 5\r\n", 400},
		{"length list", "Content-Length: 5, 5\r\n", 400},
		{"length empty", "Content-Length:\r\n", 400},
		{"length signed", "Content-Length: +5\r\n", 400},
		{"length negative", "Content-Length: -5\r\n", 400},
		{"length hexadecimal", "Content-Length: 0x5\r\n", 400},
		{"length with underscore", "Content-Length: 1_0\r\n", 400},
		{"length with blank inside", "Content-Length: 1 0\r\n", 400},
		{"length with fraction", "Content-Length: 5.0\r\n", 400},
		{"length in other digits", "Content-Length: \xd9\xa5\r\n", 400},
		{"length over int64", "Content-Length: 9223372036854775808\r\n", 400},
		{"length far over int64", "Content-Length: " + strings.Repeat("9", 400) + "\r\n", 400},

		{"length, then coding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
		{"coding, then length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
		{"coding, then length 0", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400},
		{"coding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
		{"chunked twice", "Transfer-Encoding: chunked, chunked\r\n", 400},
		{"chunked not last", "Transfer-Encoding: chunked, gzip\r\n", 400},
		{"chunked with parameter", "Transfer-Encoding: chunked;q=1\r\n", 400},
		{"coding in quotes", "Transfer-Encoding: \"chunked\"\r\n", 400},
		{"coding empty", "Transfer-Encoding:\r\n", 400},
		{"empty item", "Transfer-Encoding: , chunked\r\n", 400},
		{"empty last item", "Transfer-Encoding: chunked,\r\n", 400},
		{"gzip and chunked", "Transfer-Encoding: gzip, chunked\r\n", 501},
		{"gzip", "Transfer-Encoding: gzip\r\n", 501},
		{"identity", "Transfer-Encoding: identity\r\n", 501},
		{"xchunked", "Transfer-Encoding: xchunked\r\n", 501},
		{"chunked by vertical tab", "Transfer-Encoding: \x0bchunked\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, "POST / HTTP/1.1\r\nHost: h\r\n"+c.fields+"\r\n", DefaultLimits(), c.status)
		})
	}
	refused(t, "GET / HTTP/1.1\r\nX: y\r\n\r\n", DefaultLimits(), 400)
	refused(t, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", DefaultLimits(), 400)
	refused(t, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", DefaultLimits(), 400)
	refused(t, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", DefaultLimits(), 400)
	refused(t, "POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", DefaultLimits(), 400)
}

func TestFieldMeanings(t *testing.T) {
	for _, c := range []struct {
		in   string
		want func(*Head) bool
	}{
		{"GET / HTTP/1.0\r\n\r\n", func(h *Head) bool { return h.Host == nil && h.ContentLength == -1 && !h.Chunked }},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", func(h *Head) bool { return h.Host != nil && len(h.Host) == 0 }},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", func(h *Head) bool { return h.ContentLength == 0 }},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", func(h *Head) bool { return h.ContentLength == 1<<63-1 }},
		{"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cHuNkEd\r\n\r\n", func(h *Head) bool { return h.Chunked && h.ContentLength == -1 }},
		{"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", func(h *Head) bool { return h.Expect100 }},
		{"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", func(h *Head) bool { return !h.Expect100 }},
		// Near misses in length and spelling must not be taken for the field.
		{"GET / HTTP/1.1\r\nHost: a\r\nHos\x74_: b\r\nContent_Length: x\r\nTransfer_Encoding: x\r\n\r\n", func(h *Head) bool { return len(h.Fields) == 4 && string(h.Host) == "a" }},
		{"GET / HTTP/1.1\r\nHost: a\r\nHpst: b\r\nXontent-Length: x\r\nExpecs: x\r\nConnectiom: close\r\n\r\n", func(h *Head) bool { return h.KeepAlive && h.ContentLength == -1 }},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: \t \r\n\r\n", func(h *Head) bool { v, ok := h.Get("x"); return ok && len(v) == 0 }},
		{"GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: tok\r\n\r\n", func(h *Head) bool { return len(h.Fields) == 2 }},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n", func(h *Head) bool { v, _ := h.Get("X"); return string(v) == "\x80\xff" }},
	} {
		if h := mustParse(t, c.in); !c.want(h) {
			t.Errorf("%q: got %s", c.in, describe(h))
		}
	}
}

// The word-at-a-time check must agree with the table for each byte at each
// place of a word and of the rest behind it.
func TestValidValueAgreesWithTheTable(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				b := []byte(strings.Repeat("\xffa ~\x80", 4))[:n]
				b[at] = byte(c)
				if got, want := validValue(b), allOf(b, isValue); got != want {
					t.Fatalf("%q: got %v, want %v", b, got, want)
				}
			}
		}
	}
	for c := range 256 {
		want := c == '\t' || c >= ' ' && c != 0x7f
		if got := ValidFieldValue([]byte{byte(c)}); got != want {
			t.Errorf("value byte %#x: got %v, want %v", c, got, want)
		}
	}
}

// U+212A is a K to Unicode; a header name must not be.
func TestEqualFoldIsASCII(t *testing.T) {
	if equalFold("keep-alive", "\u212aeep-alive") || !equalFold("Keep-ALIVE", "kEEP-alive") || equalFold("[", "{") || equalFold("a", "ab") {
		t.Error("folding other than of ASCII letters")
	}
}
