package http1

import (
	"errors"
	"strings"
	"testing"
)

// decode runs the whole of src through a decoder that is given at most step
// bytes at a time and room for at most room bytes of body.
func decode(src []byte, step, room int) (body []byte, used int, done bool, err error) {
	var c Chunked
	dst := make([]byte, room)
	for used < len(src) {
		in := src[used:min(len(src), used+step)]
		var n, m int
		n, m, done, err = c.Decode(dst, in)
		body = append(body, dst[:n]...)
		used += m
		if done || err != nil {
			break
		}
		if n < room && m < len(in) {
			return body, used, false, errors.New("decoder stopped with input and room left")
		}
	}
	return body, used, done, err
}

var goodBodies = []struct{ in, body string }{
	{"0\r\n\r\n", ""},
	{"5\r\nhello\r\n0\r\n\r\n", "hello"},
	{"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello"},
	{"00000000000000Aa\r\n" + strings.Repeat("x", 0xaa) + "\r\n000\r\n\r\n", strings.Repeat("x", 0xaa)},
	{"5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\n\r\n", "hello"},
	{"5 \t;a\r\nhello\r\n0\r\n\r\n", "hello"},
	{"4;\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"}, // data that looks like framing
	{"1\r\na\r\n0\r\nX-Sum: 12\r\nY:\r\n\r\n", "a"},
	{"0\r\nTransfer-Encodings: x\r\nHosts: x\r\nT: x\r\n\r\n", ""},
}

// However the bytes arrive and however little room there is, the body and the
// place where the next request begins are the same.
func TestChunkedEverySplit(t *testing.T) {
	for _, c := range goodBodies {
		for step := 1; step <= len(c.in)+4; step++ {
			for _, room := range []int{1, 2, 7, 1000} {
				body, used, done, err := decode([]byte(c.in+"NEXT"), step, room)
				if err != nil || !done || string(body) != c.body || used != len(c.in) {
					t.Fatalf("%q, step %d, room %d: got %q, used %d, %v, %v", c.in, step, room, body, used, done, err)
				}
			}
		}
	}
}

// A connection's buffer is decoded where it lies.
func TestChunkedInPlace(t *testing.T) {
	for _, c := range goodBodies[:5] {
		buf := []byte(c.in + "NEXT")
		var d Chunked
		n, m, done, err := d.Decode(buf, buf)
		if err != nil || !done || string(buf[:n]) != c.body || string(buf[m:]) != "NEXT" {
			t.Errorf("%q: got %q, then %q, %v, %v", c.in, buf[:n], buf[m:], done, err)
		}
	}
}

// Without room the framing goes on but data waits, and nothing is lost.
func TestChunkedWithoutRoom(t *testing.T) {
	var c Chunked
	src := []byte("2\r\nab\r\n0\r\n\r\n")
	if n, m, done, err := c.Decode(nil, src); n != 0 || m != 3 || done || err != nil {
		t.Fatalf("no room: got %d, %d, %v, %v", n, m, done, err)
	}
	dst := make([]byte, 2)
	if n, m, done, err := c.Decode(dst, src[3:]); n != 2 || m != len(src)-3 || !done || err != nil {
		t.Fatalf("room: got %d, %d, %v, %v", n, m, done, err)
	}
	if n, m, done, err := c.Decode(dst, src); n != 0 || m != 0 || !done || err != nil {
		t.Fatalf("after the end: got %d, %d, %v, %v", n, m, done, err)
	}
}

// A request hidden in a body comes out where two readers of these disagree.
func TestChunkedRefusals(t *testing.T) {
	for _, c := range []struct {
		name, in string
		status   int
	}{
		{"no size", "\r\n", 400},
		{"no size but extension", ";a\r\n", 400},
		{"blank before size", " 1\r\na\r\n0\r\n\r\n", 400},
		{"blank after size", "1 \r\na\r\n0\r\n\r\n", 400},
		{"sign", "+1\r\na\r\n0\r\n\r\n", 400},
		{"minus", "-1\r\na\r\n0\r\n\r\n", 400},
		{"0x", "0x1\r\na\r\n0\r\n\r\n", 400},
		{"underscore", "1_0\r\n", 400},
		{"letter", "g\r\n", 400},
		{"17 digits", "00000000000000001\r\na\r\n0\r\n\r\n", 400},
		{"over int64", "8000000000000000\r\n", 400},
		{"over uint64", "10000000000000001\r\n", 400},
		{"bare LF after size", "1\na\r\n0\r\n\r\n", 400},
		{"bare CR after size", "1\ra\r\n0\r\n\r\n", 400},
		{"bare LF in extension", "1;a\nb\r\n", 400},
		{"bare CR in extension", "1;a\rb\r\n", 400},
		{"NUL in extension", "1;\x00\r\n", 400},
		{"blanks, then no extension", "1 a\r\n", 400},
		{"data longer than size", "1\r\nab\r\n0\r\n\r\n", 400},
		{"LF after data", "1\r\na\n0\r\n\r\n", 400},
		{"CR alone after data", "1\r\na\r0\r\n\r\n", 400},
		{"nothing after data", "1\r\na0\r\n\r\n", 400},
		{"bare LF at the end", "0\r\n\n", 400},
		{"bare CR at the end", "0\r\n\rX", 400},
		{"trailer without colon", "0\r\nabc\r\n\r\n", 400},
		{"trailer without name", "0\r\n: a\r\n\r\n", 400},
		{"trailer with blank in name", "0\r\nX : a\r\n\r\n", 400},
		{"trailer folded", "0\r\nX: a\r\n b\r\n\r\n", 400},
		{"trailer with NUL", "0\r\nX: \x00\r\n\r\n", 400},
		{"trailer with bare LF", "0\r\nX: a\n\r\n", 400},
		{"trailer with bare CR", "0\r\nX: a\rb\r\n", 400},
		{"trailer Content-Length", "0\r\nContent-Length: 5\r\n\r\n", 400},
		{"trailer Transfer-Encoding", "0\r\ntransfer-ENCODING: chunked\r\n\r\n", 400},
		{"trailer Host", "0\r\nhost: a\r\n\r\n", 400},
		{"trailer Trailer", "0\r\nTrailer: a\r\n\r\n", 400},
		{"trailer TE", "0\r\nTE: a\r\n\r\n", 400},
		{"trailer Authorization", "0\r\nAuthorization: a\r\n\r\n", 400},
		{"forbidden trailer after another", "0\r\nX: a\r\nHost: a\r\n\r\n", 400},
		{"endless extension", "1;" + strings.Repeat("a", MaxExtension+1), 400},
		{"endless blanks", "1" + strings.Repeat(" ", MaxExtension+1), 400},
		{"endless trailer", "0\r\nX: " + strings.Repeat("a", MaxTrailer), 431},
		{"endless trailer name", "0\r\n" + strings.Repeat("a", MaxTrailer+1), 431},
		{"endless trailers", "0\r\n" + strings.Repeat("X: a\r\n", MaxTrailer/6+1), 431},
		{"extensions on single bytes", strings.Repeat("1;abcdefgh\r\na\r\n", MaxExtension/7+1), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1, 3, len(c.in)} {
				_, used, done, err := decode([]byte(c.in), step, len(c.in))
				var e *Error
				if done || !errors.As(err, &e) || e.Status != c.status {
					t.Fatalf("step %d: got used %d, %v, %v, want status %d", step, used, done, err, c.status)
				}
			}
		})
	}
}

// An error stays: the bytes behind it are not a chunk size.
func TestChunkedErrorIsFinal(t *testing.T) {
	var c Chunked
	dst := make([]byte, 10)
	n, m, _, first := c.Decode(dst, []byte("1\r\na!"))
	var e *Error
	if n != 1 || m != 4 || !errors.As(first, &e) || e.Offset != 4 {
		t.Fatalf("got %d, %d, %v", n, m, first)
	}
	if n, m, done, err := c.Decode(dst, []byte("0\r\n\r\n")); n != 0 || m != 0 || done || err == nil || err.Error() != first.Error() {
		t.Fatalf("second call: got %d, %d, %v, %v", n, m, done, err)
	}
}

// Clients that sign each chunk in its extension upload more than 4 KiB of them.
func TestChunkedExtensionsMayKeepPaceWithData(t *testing.T) {
	const chunk = "100;signature=0123456789abcdef\r\n"
	src := strings.Repeat(chunk+strings.Repeat("x", 256)+"\r\n", 1000) + "0\r\n\r\n"
	if body, _, done, err := decode([]byte(src), 4096, 4096); !done || err != nil || len(body) != 256000 {
		t.Errorf("got %d bytes, %v, %v", len(body), done, err)
	}
}

func TestChunkedDoesNotAllocate(t *testing.T) {
	src := []byte(goodBodies[7].in)
	dst := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		var c Chunked
		_, _, _, _ = c.Decode(dst, src)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendChunk(t *testing.T) {
	b := AppendChunk(nil, []byte(strings.Repeat("x", 31)))
	b = AppendChunk(b, nil)
	b = AppendChunkSize(b, 10)
	b = append(b, "0123456789\r\n"...)
	b = AppendLastChunk(b)
	if want := "1f\r\n" + strings.Repeat("x", 31) + "\r\na\r\n0123456789\r\n0\r\n\r\n"; string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
}

// Each bound lets its value through and refuses one more.
func TestChunkedBounds(t *testing.T) {
	extension := func(n int) string { return "1;" + strings.Repeat("a", n) + "\r\na\r\n0\r\n\r\n" }
	// The empty line at the end counts too.
	trailer := func(n int) string { return "0\r\nX:" + strings.Repeat("a", n-6) + "\r\n\r\n" }
	data := "2000\r\n" + strings.Repeat("d", 0x2000) + "\r\n"
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"extension at the bound", extension(MaxExtension), true},
		{"extension past it", extension(MaxExtension + 1), false},
		{"extension past it after much data", data + extension(MaxExtension+1), false},
		{"trailer at the bound", trailer(MaxTrailer), true},
		{"trailer past it", trailer(MaxTrailer + 1), false},
	} {
		if _, _, done, err := decode([]byte(c.in), len(c.in), len(c.in)); done != c.ok || (err == nil) != c.ok {
			t.Errorf("%s: got %v, %v", c.name, done, err)
		}
	}
}
