package http1

import (
	"strings"
	"testing"
)

// permitted returns the limits used here with the switches of the bits of n.
func permitted(n uint8) Limits {
	return Limits{Line: 200, Fields: 8, FieldSize: 200, Head: 1000, Permit: Permissions{
		SpaceBeforeColon: n&1 != 0, ObsoleteFolding: n&2 != 0, UnconventionalMethod: n&4 != 0,
		UnconventionalVersion: n&8 != 0, CasefoldMethod: n&16 != 0,
	}}
}

// permitCases need all switches of need, and are refused without any one of them.
var permitCases = []struct {
	need     uint8
	in, want string // want is method, minor version and the values, joined by |
}{
	{1, "GET / HTTP/1.1\r\nHost \t: a\r\nX : y\r\n\r\n", "GET|1|a|y"},
	{2, "GET / HTTP/1.1\r\nHost: a\r\nX: b \r\n\t c\r\n d\r\n\r\n", "GET|1|a|b c d"},
	{2, "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n b\r\n\r\n", "GET|1|a|b"},
	{3, "GET / HTTP/1.1\r\nHost: a\r\nX :b\r\n c\r\nY: z\r\n e\r\n\r\n", "GET|1|a|b c|z e"},
	{4, "get / HTTP/1.1\r\nHost: a\r\n\r\n", "get|1|a"},
	{4, "G# / HTTP/1.1\r\nHost: a\r\n\r\n", "G#|1|a"},
	{4, strings.Repeat("M", 21) + " / HTTP/1.1\r\nHost: a\r\n\r\n", strings.Repeat("M", 21) + "|1|a"},
	{8, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET|1|a"},
	{8, "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "GET|0|a"},
	{20, "options * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS|1|a"},
}

func summary(h *Head) string {
	s := string(h.Method) + "|" + string(rune('0'+h.Minor))
	for _, f := range h.Fields {
		s += "|" + string(f.Value)
	}
	return s
}

// A switch opens what it names, nothing else does, and no split changes that.
func TestPermissions(t *testing.T) {
	for _, c := range permitCases {
		for n := range uint8(32) {
			lim := permitted(n)
			if n&c.need != c.need {
				refused(t, c.in, lim, map[bool]int{true: 505, false: 400}[c.need == 8])
				continue
			}
			h, ok, err := parse(c.in, lim)
			want := c.want
			if n&20 == 20 {
				want = strings.ToUpper(want[:strings.IndexByte(want, '|')]) + want[strings.IndexByte(want, '|'):]
			}
			if !ok || summary(h) != want {
				t.Errorf("%q with %05b: got %v, %v, %q, want %q", c.in, n, ok, err, summary(h), want)
				continue
			}
			for at := range len(c.in) {
				var h Head
				first := []byte(c.in[:at])
				ok, err := h.Parse(first, &lim)
				clear(first)
				if ok || err != nil {
					t.Fatalf("%q at %d: got %v, %v", c.in, at, ok, err)
				}
				if ok, err = h.Parse([]byte(c.in), &lim); !ok || summary(&h) != want {
					t.Fatalf("%q split at %d: got %v, %v, %q", c.in, at, ok, err, summary(&h))
				}
			}
		}
	}
}

// What no switch opens.
func TestPermissionsRefuse(t *testing.T) {
	for _, s := range []string{
		"Content-Length:\r\n 5\r\n", "Transfer-Encoding:\r\n chunked\r\n", "X: a\r\n \r\n", "X: a\r\n \x01\r\n",
		"X: a\x00\r\n b\r\n", "X\r\n : a\r\n", "X: a\r\n b\n", " X: a\r\n", "X: a\r\n " + strings.Repeat("b\r\n ", 60) + "b\r\n",
	} {
		status := 400
		if len(s) > 200 {
			status = 431
		}
		refused(t, "GET / HTTP/1.0\r\n"+s+"\r\n", permitted(31), status)
	}
}

func TestClamp(t *testing.T) {
	want := Limits{Line: DefaultLine, Fields: DefaultFields, FieldSize: DefaultFieldSize, Head: DefaultHead}
	if got := DefaultLimits().Clamp(); got != want {
		t.Errorf("defaults: got %+v", got)
	}
	if got := (Limits{}).Clamp(); got != (Limits{0, MaxFields, DefaultFieldSize, DefaultHead, Permissions{}}) {
		t.Errorf("zero: got %+v", got)
	}
	if got := (Limits{Line: 9000, Fields: 40000, FieldSize: 1 << 40}).Clamp(); got != (Limits{MaxLine, MaxFields, MaxHead, MaxHead, Permissions{}}) {
		t.Errorf("large: got %+v", got)
	}
}

// FuzzPermissions: what is accepted strictly is accepted alike with any
// switches, and splits decide nothing.
func FuzzPermissions(f *testing.F) {
	for _, c := range permitCases {
		f.Add([]byte(c.in), c.need)
	}
	f.Fuzz(func(t *testing.T, in []byte, n uint8) {
		strict, lim := permitted(0), permitted(n)
		var a, b Head
		wasOK, _ := a.Parse(in, &strict)
		ok, err := b.Parse(in, &lim)
		checkSplits(t, in, &lim, &b, ok, err)
		if wasOK && (!ok || describe(&a) != describe(&b)) {
			t.Fatalf("%q with %05b: got %v, %v, %s, strictly %s", in, n, ok, err, describe(&b), describe(&a))
		}
		if ok && string(b.Target) != "" && strings.HasPrefix(string(in[max(0, strings.Index(string(in), " HTTP/")):]), " HTTP/1") && n&17 == 0 {
			compare(t, in[:b.Size], &b)
		}
	})
}
