package http1

import (
	"errors"
	"testing"
)

// The expected values are those of urllib.parse.unquote_to_bytes.
func TestAppendPercentDecoded(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/": "/", "/a/b": "/a/b", "/a%20b": "/a b", "/%c3%A9": "/\xc3\xa9", "/%2f%2F": "///", "%41%42": "AB",
		"/%": "/%", "/%4": "/%4", "/%zz": "/%zz", "/%4g": "/%4g", "/%g4": "/%g4", "/%%41": "/%A", "/%2541": "/%41",
		"/a+b": "/a+b", "/%0": "/%0", "/%0a": "/\n", "/%7f": "/\x7f", "/%4%41": "/%4A",
	} {
		if got, err := AppendPercentDecoded([]byte("x"), []byte(in)); err != nil || string(got) != "x"+want {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, "x"+want)
		}
	}
	got, err := AppendPercentDecoded([]byte("x"), []byte("/a%41b%00"))
	var e *Error
	if !errors.As(err, &e) || e.Status != 400 || string(got) != "x" {
		t.Errorf("encoded NUL: got %q, %v", got, err)
	}
}

func TestAppendEnvName(t *testing.T) {
	for in, want := range map[string]string{"Host": "HTTP_HOST", "x-Forwarded-for": "HTTP_X_FORWARDED_FOR", "a.9~z": "HTTP_A.9~Z", "A_b": "HTTP_A_B"} {
		if got := AppendEnvName([]byte("+"), []byte(in)); string(got) != "+"+want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if !HasUnderscore([]byte("X_A")) || HasUnderscore([]byte("X-A")) {
		t.Error("HasUnderscore is wrong")
	}
	dst, name, path := make([]byte, 0, 64), []byte("Accept-Encoding"), []byte("/a%20b")
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendEnvName(dst[:0], name)
		dst, _ = AppendPercentDecoded(dst, path)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
