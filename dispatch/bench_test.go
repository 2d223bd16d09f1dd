package dispatch

import (
	"testing"
)

// A field is a header, as http1 gives it to the gateway: bytes of its buffer.
type field struct{ name, value []byte }

// appendRequest writes a request as the gateway's express path does: what differs
// from one request to the next is appended behind what does not.
func appendRequest(b []byte, id int64, fixed, path, query []byte, fields []field) []byte {
	b = AppendTuple(b, 3)
	b = AppendInt(b, id)
	b = AppendDict(b)
	b = append(b, fixed...)
	b = AppendLatin1(AppendKey(b, "REQUEST_METHOD"), "GET")
	b = AppendLatin1(AppendKey(b, "RAW_URI"), path)
	b = AppendLatin1(AppendKey(b, "PATH_INFO"), path)
	b = AppendLatin1(AppendKey(b, "QUERY_STRING"), query)
	b = AppendLatin1(AppendKey(b, "SERVER_PROTOCOL"), "HTTP/1.1")
	for _, f := range fields {
		b = AppendLatin1(AppendLatin1(b, f.name), f.value)
	}
	b = AppendDictEnd(b)
	return AppendBytes(b, nil)
}

func fixedPart() []byte {
	b := AppendLatin1(AppendKey(nil, "SERVER_NAME"), "www.example.org")
	b = AppendLatin1(AppendKey(b, "SERVER_PORT"), "8000")
	b = AppendLatin1(AppendKey(b, "REMOTE_ADDR"), "127.0.0.1")
	b = AppendLatin1(AppendKey(b, "REMOTE_PORT"), "51234")
	b = AppendLatin1(AppendKey(b, "SCRIPT_NAME"), "")
	b = AppendLatin1(AppendKey(b, "wsgi.url_scheme"), "http")
	b = AppendBool(AppendKey(b, "wsgi.multithread"), false)
	b = AppendBool(AppendKey(b, "wsgi.multiprocess"), true)
	return AppendInt(AppendInt(AppendTuple(AppendKey(b, "wsgi.version"), 2), 1), 0)
}

func typicalFields() []field {
	return []field{
		{[]byte("HTTP_HOST"), []byte("www.example.org:8000")},
		{[]byte("HTTP_USER_AGENT"), []byte("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")},
		{[]byte("HTTP_ACCEPT"), []byte("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")},
		{[]byte("HTTP_ACCEPT_LANGUAGE"), []byte("de,en-US;q=0.7,en;q=0.3")},
		{[]byte("HTTP_ACCEPT_ENCODING"), []byte("gzip, deflate, br, zstd")},
		{[]byte("HTTP_COOKIE"), []byte("sessionid=0123456789abcdef0123456789abcdef; csrftoken=fedcba9876543210")},
	}
}

const typicalID = 3<<56 | 1<<48 | 17<<28 | 4711

func BenchmarkAppendRequest(b *testing.B) {
	fixed, fields := fixedPart(), typicalFields()
	path, query := []byte("/articles/2024/light"), []byte("page=2&sort=date")
	buf := appendRequest(nil, typicalID, fixed, path, query, fields)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = appendRequest(buf[:0], typicalID, fixed, path, query, fields)
	}
}

// readReply reads a finished reply as the gateway does. It returns the size of what
// it saw, so that nothing of it can be left out.
func readReply(r *Reader, msg []byte) (int, error) {
	r.Reset(msg)
	_, _ = r.Tuple() // each error stays until End
	id, _ := r.Int()
	status, _ := r.Str()
	headers, _ := r.Sequence()
	seen := int(id&1) + len(status)
	for range headers {
		if n, err := r.Sequence(); n != 2 || err != nil {
			return 0, err
		}
		name, _ := r.Str()
		value, _ := r.Str()
		seen += len(name) + len(value)
	}
	body, _ := r.Bytes()
	return seen + len(body), r.End()
}

// typicalReply has the form that Python writes in version 4: the application's
// constants are interned, and what has two owners is referred to.
func typicalReply() []byte {
	b := AppendTuple(nil, 4)
	b = AppendInt(b, typicalID)
	b = append(b, codeShortASCIIInterned|flagRef, 6)
	b = append(b, "200 OK"...)
	b = AppendList(b, 4)
	b = append(b, codeSmallTuple|flagRef, 2, codeShortASCIIInterned|flagRef, 12)
	b = append(b, "Content-Type"...)
	b = AppendLatin1(b, "text/html; charset=utf-8")
	b = AppendLatin1(AppendLatin1(AppendTuple(b, 2), "Content-Length"), "14")
	b = AppendLatin1(appendSized(AppendTuple(b, 2), codeRef, 2), "again")
	b = appendSized(b, codeRef, 1)
	return AppendBytes(b, []byte("Hello, world!\n"))
}

func BenchmarkReadReply(b *testing.B) {
	var r Reader
	msg := typicalReply()
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readReply(&r, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMonotonic(b *testing.B) {
	for b.Loop() {
		_ = Monotonic()
	}
}

// The gateway's loops allocate nothing for a request; the garbage collector would
// take its time from them.
func TestFastPathAllocatesNothing(t *testing.T) { // not parallel: counts allocations
	fixed, fields := fixedPart(), typicalFields()
	path, query := []byte("/\xe9"), []byte("")
	buf := appendRequest(nil, typicalID, fixed, path, query, fields)
	if n := testing.AllocsPerRun(100, func() {
		buf = appendRequest(buf[:0], typicalID, fixed, path, query, fields)
	}); n != 0 {
		t.Errorf("appending a request: %v allocations", n)
	}
	if err := skipWhole(buf); err != nil {
		t.Errorf("the request: %v", err)
	}

	var r Reader
	msg := typicalReply()
	want := len("200 OK") + 2*len("Content-Type"+"text/html; charset=utf-8") + len("Content-Length14") +
		len("Content-Type"+"again") + len("Hello, world!\n") + typicalID&1
	if n := testing.AllocsPerRun(100, func() {
		if seen, err := readReply(&r, msg); err != nil || seen != want {
			t.Fatalf("read %d bytes of the reply, %v; want %d", seen, err, want)
		}
	}); n != 0 {
		t.Errorf("reading a reply: %v allocations", n)
	}
}
