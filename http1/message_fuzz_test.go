package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// FuzzMessage reads requests with their bodies one after the other from the same
// bytes as net/http, and wants the same bodies and the same next request
// wherever both accept: two readers that disagree there can be made to see two
// different sequences of requests.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{
		"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: v\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n\r\nGET http://a:80/?q HTTP/1.1\r\nHost: b\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nrest",
		"PUT / HTTP/1.1\r\nhost:h\r\ncontent-length: 0\r\nExpect: 100-continue\r\n\r\nHEAD / HTTP/1.1\r\nHost: \r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := Limits{Line: 200, Fields: 8, FieldSize: 200, Head: 1000}
		for rest := in; len(rest) > 0; {
			var h Head
			if ok, err := h.Parse(rest, &lim); err != nil || !ok {
				return
			}
			body, used, ok := message(&h, rest)
			if !ok {
				return
			}
			theirs, theirUsed, err := readMessage(rest)
			if err != nil {
				return
			}
			if !bytes.Equal(body, theirs) || used != theirUsed {
				t.Fatalf("%q: got body %q and %d bytes, net/http has %q and %d", rest, body, used, theirs, theirUsed)
			}
			rest = rest[used:]
		}
	})
}

// message is the body of a head, and how many bytes both have.
func message(h *Head, in []byte) (body []byte, used int, ok bool) {
	rest := in[h.Size:]
	if h.Chunked {
		var c Chunked
		body = make([]byte, len(rest))
		n, m, done, err := c.Decode(body, rest)
		return body[:n], h.Size + m, done && err == nil
	}
	length := max(h.ContentLength, 0)
	if length > int64(len(rest)) {
		return nil, 0, false
	}
	return rest[:length], h.Size + int(length), true
}

// readMessage is the same by net/http, which does not know of the empty line
// that may come before a request.
func readMessage(in []byte) (body []byte, used int, err error) {
	trimmed := bytes.TrimPrefix(in, []byte("\r\n"))
	reader := bufio.NewReaderSize(bytes.NewReader(trimmed), len(in)+16)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return nil, 0, err
	}
	if body, err = io.ReadAll(request.Body); err != nil {
		return nil, 0, err
	}
	return body, len(in) - reader.Buffered(), nil
}
