package websocket

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// Where AppendInflated says that it could, a Reader of the same frame says the same; where
// it could not, the Reader finds the payload damaged, or the message is longer.
func FuzzInflate(f *testing.F) {
	const limit = 4 << 10
	var pool Pool
	packed := func(text string) string {
		var b bytes.Buffer
		if err := pool.Deflate(&b, strings.NewReader(text)); err != nil {
			f.Fatal(err)
		}
		return b.String()
	}
	for _, seed := range []string{
		"", "\x00", "\xff\xff\xff\xff",
		"\xf2\x48\xcd\xc9\xc9\x07\x00",                           // Hello
		"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",                       // the same in a final block
		"\xf3\x48\xcd\xc9\xc9\x07\x00 and what is not looked at", // behind that
		"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",           // stored
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",   // two blocks
		packed(""), packed(strings.Repeat("x", limit)), packed(strings.Repeat("x", limit+1)), packed(strings.Repeat("long ", limit)),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		given := bytes.Clone(payload)
		got, ok := pool.AppendInflated([]byte("before"), payload, limit)
		if !bytes.Equal(given, payload) {
			t.Error("the payload was changed")
		}
		r := NewReader(bytes.NewReader(clientFrame(fin|rsv1|byte(Binary), string(payload))), 1<<30, &pool, nil)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(io.LimitReader(r, limit+1))
		switch {
		case !ok && err == nil && len(want) <= limit:
			t.Errorf("%d bytes could not be inflated, but by a Reader to %d", len(payload), len(want))
		case ok && (err != nil || string(got) != "before"+string(want)):
			t.Errorf("got %.40q, and by a Reader %.40q, %v", got, want, err)
		}
	})
}
