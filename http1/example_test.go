package http1_test

import (
	"fmt"

	"github.com/indrik/indrik/http1"
)

// A connection's buffer is parsed each time bytes were added to it, until the
// head is complete or refused.
func ExampleHead_Parse() {
	lim := http1.DefaultLimits()
	var h http1.Head
	in := []byte("GET /basket?page=2 HTTP/1.1\r\nHost: example.org\r\n\r\n")

	complete, err := h.Parse(in[:20], &lim)
	fmt.Println(complete, err)
	complete, err = h.Parse(in, &lim)
	fmt.Println(complete, err)
	fmt.Printf("%s %s for %s, body at %d\n", h.Method, h.Path, h.Host, h.Size)

	_, err = h.Parse([]byte("GET / HTTP/1.1\nHost: a\n\n"), &lim)
	fmt.Println(err)
	// Output:
	// false <nil>
	// true <nil>
	// GET /basket for example.org, body at 50
	// refuse request with 400: line feed without carriage return at byte 0
}

// A body is decoded where it was read; what follows it is the next request.
func ExampleChunked_Decode() {
	buf := []byte("5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\n")
	var c http1.Chunked
	n, used, done, err := c.Decode(buf, buf)
	fmt.Printf("%s %v %v, then %.9s\n", buf[:n], done, err, buf[used:])
	// Output: hello true <nil>, then GET /next
}
