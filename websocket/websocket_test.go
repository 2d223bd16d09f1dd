package websocket

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// The sample of RFC 6455 section 1.3.
func TestHandshakeValues(t *testing.T) {
	if got := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("accept %q", got)
	}
	for key, want := range map[string]bool{
		"dGhlIHNhbXBsZSBub25jZQ==": true, "": false, "x": false, "dGhlIHNhbXBsZSBub25jZQ": false,
		"dGhlIHNhbXBsZSBub25jZWQ=": false, "!GhlIHNhbXBsZSBub25jZQ==": false,
	} {
		if ValidKey(key) != want {
			t.Errorf("key %q: valid %v", key, !want)
		}
	}
}

// Offers as browsers and libraries make them, and what RFC 7692 section 7.1 wants
// declined.
func TestOffers(t *testing.T) {
	for offer, want := range map[string]bool{
		"permessage-deflate":                                                         true,
		"permessage-deflate; client_max_window_bits":                                 true,
		"Permessage-Deflate;client_max_window_bits=10":                               true,
		`permessage-deflate; client_max_window_bits="9"`:                             true,
		"permessage-deflate; server_max_window_bits=15":                              true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": true,
		"x-webkit-deflate-frame, permessage-deflate":                                 true,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          true,
		"":                       false,
		"x-webkit-deflate-frame": false,
		"permessage-deflate; server_max_window_bits=10":                      false,
		"permessage-deflate; server_max_window_bits":                         false,
		"permessage-deflate; client_max_window_bits=16":                      false,
		"permessage-deflate; client_max_window_bits=08":                      false,
		"permessage-deflate; client_max_window_bits; client_max_window_bits": false,
		"permessage-deflate; server_no_context_takeover=1":                   false,
		"permessage-deflate; unknown":                                        false,
		"permessage-deflate; ;":                                              false,
	} {
		if OffersDeflate(offer) != want {
			t.Errorf("%q: agreed to %v", offer, !want)
		}
	}
}

// What we send is a frame that takes the fewest bytes of length.
func TestServerFrames(t *testing.T) {
	for length, want := range map[int64]string{
		0: "\x81\x00", 125: "\x81\x7d", 126: "\x81\x7e\x00\x7e", 65535: "\x81\x7e\xff\xff",
		65536: "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		if got := AppendHeader(nil, Text, true, false, length); string(got) != want {
			t.Errorf("length %d: %x, want %x", length, got, want)
		}
	}
	if got := AppendHeader(nil, Binary, false, true, 1); string(got) != "\x42\x01" {
		t.Errorf("compressed fragment: %x", got)
	}
	if got := AppendClose(nil, CodeNormal, "bye"); string(got) != "\x88\x05\x03\xe8bye" {
		t.Errorf("close: %x", got)
	}
	if got := AppendClose(nil, CodeNone, "ignored"); string(got) != "\x88\x00" {
		t.Errorf("close without a code: %x", got)
	}
}

// A message that is deflated comes back when it is read as a client's would be.
func TestDeflate(t *testing.T) {
	pool := new(Pool)
	for _, text := range []string{"", "a", "Hello", strings.Repeat("again ", 50_000), string(bytes.Repeat([]byte{0, 255, 7}, 10_000))} {
		var out bytes.Buffer
		check(t, pool.Deflate(&out, strings.NewReader(text)))
		r := NewReader(bytes.NewReader(clientFrame(fin|rsv1|2, out.String())), 1<<20, pool, nil)
		_, err := r.Next()
		check(t, err)
		got, err := io.ReadAll(r)
		if err != nil || string(got) != text {
			t.Errorf("%d bytes came back as %d, %v", len(text), len(got), err)
		}
	}
}

// Masks of whole and of cut frames.
func TestUnmask(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	plain := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	masked := make([]byte, len(plain))
	for i := range plain {
		masked[i] = plain[i] ^ mask[i&3]
	}
	for cut := range len(plain) {
		got := bytes.Clone(masked)
		Unmask(got[:cut], mask, 0)
		Unmask(got[cut:], mask, int64(cut))
		if !bytes.Equal(got, plain) {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
}

// Text in pieces is as valid as the whole, and invalid as soon as no continuation
// could save it.
func FuzzText(f *testing.F) {
	f.Add([]byte("Hello-µ@ßöäüàá-UTF-8!!"), 3)
	f.Add([]byte("\xf4\x8f\xbf\xbf\xf4\x90"), 5)
	f.Add([]byte("\xed\xa0\x80"), 1)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		if cut < 0 || cut > len(p) {
			return
		}
		var in text
		valid := in.add(p[:cut]) && in.add(p[cut:])
		if got := valid && in.complete(); got != utf8.Valid(p) {
			t.Errorf("%x cut at %d: valid %v", p, cut, got)
		}
		if !valid {
			return
		}
		for _, rest := range []string{"", "\x80", "\x80\x80", "\x80\x80\x80", "\xa0", "\xa0\x80", "\x90\x80\x80", "\xbf", "\xbf\xbf\xbf"} {
			if utf8.Valid(append(bytes.Clone(p), rest...)) {
				return
			}
		}
		t.Errorf("%x: nothing makes it valid, and it was not refused", p)
	})
}
