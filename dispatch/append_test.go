package dispatch

import (
	"strings"
	"testing"
)

// The bytes are those of the prototype that was measured: Python loads short
// interned keys fastest.
func TestAppendWritesTheShortestForm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"key":                 {AppendKey(nil, "REQUEST_METHOD"), "Z\x0eREQUEST_METHOD"},
		"long key":            {AppendKey(nil, long), "A\x00\x01\x00\x00" + long},
		"latin-1":             {AppendLatin1(nil, "GET"), "z\x03GET"},
		"latin-1 of 255":      {AppendLatin1(nil, long[:255]), "z\xff" + long[:255]},
		"latin-1 of 256":      {AppendLatin1(nil, []byte(long)), "a\x00\x01\x00\x00" + long},
		"latin-1 high":        {AppendLatin1(nil, "a\xe9\x80\xff"), "u\x07\x00\x00\x00aé\u0080ÿ"},
		"latin-1 high at 9":   {AppendLatin1(nil, []byte("12345678\xe9")), "u\x0a\x00\x00\x0012345678é"},
		"text":                {AppendText(nil, "text"), "z\x04text"},
		"text beyond latin-1": {AppendText(nil, "€"), "u\x03\x00\x00\x00€"},
		"empty text":          {AppendText(nil, ""), "z\x00"},
		"bytes":               {AppendBytes(nil, []byte("\xff")), "s\x01\x00\x00\x00\xff"},
		"int":                 {AppendInt(nil, -2), "i\xfe\xff\xff\xff"},
		"large int":           {AppendInt(nil, 1<<45), "l\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00"},
		"large negative int":  {AppendInt(nil, -(1 << 45)), "l\xfc\xff\xff\xff\x00\x00\x00\x00\x00\x00\x01\x00"},
		"tuple":               {AppendTuple(nil, 3), ")\x03"},
		"tuple of 256":        {AppendTuple(nil, 256), "(\x00\x01\x00\x00"},
		"list":                {AppendList(nil, 3), "[\x03\x00\x00\x00"},
		"dict":                {AppendDictEnd(AppendDict(nil)), "{0"},
		"constants":           {AppendBool(AppendBool(AppendNone(nil), true), false), "NTF"},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}

// The code points of an environ's value are the bytes that the client sent.
func TestLatin1KeepsEveryByte(t *testing.T) {
	t.Parallel()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for start := range all {
		var r Reader
		r.Reset(AppendLatin1(nil, all[start:]))
		got, err := r.Str()
		if err != nil {
			t.Fatal(err)
		}
		var points []byte
		for _, c := range string(got) {
			points = append(points, byte(c))
		}
		if string(points) != string(all[start:]) {
			t.Errorf("from %#x: %q, want %q", start, points, all[start:])
		}
	}
}
