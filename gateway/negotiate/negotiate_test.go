package negotiate

import (
	"slices"
	"strings"
	"testing"
)

func TestEncodings(t *testing.T) {
	for _, c := range []struct{ accept, want string }{
		{"", ""},
		{"gzip", "gzip"},
		{"gzip, deflate, br, zstd", "br zstd gzip"},
		{"GZIP", "gzip"},
		{"x-gzip", "gzip"},
		{"*", "br zstd gzip"},
		{"*;q=0", ""},
		{"gzip;q=1.0, br;q=0.5", "gzip br"},
		{"gzip;q=0.001,br;q=0.002 , zstd ; q=0.003", "zstd br gzip"},
		{"br;q=0, *", "zstd gzip"},
		{"br;q=0, gzip;q=0", ""},
		{"identity", ""},
		{"identity;q=0.5, gzip;q=0.4, br;q=0.5", "br"},
		{"identity;q=0, *;q=0.1", "br zstd gzip"},
		{"gzip;q=2, br", "br"},
		{"gzip;q=0.1234, br;q=x", ""},
		{"gzip;q=1.001", ""},
		{"gzip;q=-1, br;q=, zstd;q=1.", "zstd"},
		{",,;,; q=1,gzip", "gzip"},
		{`junk;a="b,br;q=1,", gzip`, "gzip"},
		{`junk;a="b\",br`, ""},
	} {
		want := strings.Fields(c.want)
		if got := Encodings(c.accept, "br", "zstd", "gzip"); !slices.Equal(got, want) {
			t.Errorf("Accept-Encoding: %s: got %q, want %q", c.accept, got, want)
		}
	}
}

func TestMediaType(t *testing.T) {
	const html, problem, json = "text/html", "application/problem+json", "application/json"
	for _, c := range []struct{ accept, want string }{
		{"", html},
		{"*/*", html},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", html},
		{"application/json", json},
		{"application/problem+json", problem},
		{"application/*", problem},
		{"application/json, text/html;q=0.9", json},
		{"application/json;q=0.9, text/html", html},
		{"*/*, text/html;q=0", problem},
		{"application/*;q=0.5, application/json;q=0.7", json},
		{"Application/JSON; charset=utf-8", json},
		{"image/png", ""},
		{"*/*;q=0", ""},
		{"text/html;q=0", ""},
	} {
		if got := MediaType(c.accept, html, problem, json); got != c.want {
			t.Errorf("Accept: %s: got %q, want %q", c.accept, got, c.want)
		}
	}
}

// FuzzNegotiation looks for a field that makes the choice panic or leave the offer.
func FuzzNegotiation(f *testing.F) {
	for _, seed := range []string{"gzip;q=0.5, *", `a/b;c="d\`, "*/*;q=1.000", ";;q=,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		offer := []string{"br", "gzip"}
		got := Encodings(accept, offer...)
		for i, coding := range got {
			if !slices.Contains(offer, coding) || slices.Contains(got[:i], coding) {
				t.Errorf("%q: got %q", accept, got)
			}
		}
		if got := MediaType(accept, "text/html", "application/json"); got != "" && got != "text/html" && got != "application/json" {
			t.Errorf("%q: got %q", accept, got)
		}
	})
}
