package activation

import (
	"strings"
	"testing"
)

func TestParseBind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want Bind // without Text
		back string
	}{
		{"127.0.0.1:80", Bind{Network: "tcp", Host: "127.0.0.1", Port: 80}, "127.0.0.1:80"},
		{"127.0.0.1:0", Bind{Network: "tcp", Host: "127.0.0.1"}, "127.0.0.1:0"},
		{"127.0.0.1", Bind{Network: "tcp", Host: "127.0.0.1", Port: 8000}, "127.0.0.1:8000"},
		{":65535", Bind{Network: "tcp", Host: "0.0.0.0", Port: 65535}, "0.0.0.0:65535"},
		{"localhost:8080", Bind{Network: "tcp", Host: "localhost", Port: 8080}, "localhost:8080"},
		{"my_host-1.example", Bind{Network: "tcp", Host: "my_host-1.example", Port: 8000}, "my_host-1.example:8000"},
		{"[::1]:80", Bind{Network: "tcp", Host: "::1", Port: 80}, "[::1]:80"},
		{"[::]", Bind{Network: "tcp", Host: "::", Port: 8000}, "[::]:8000"},
		{"[fe80::1%eth0]:80", Bind{Network: "tcp", Host: "fe80::1%eth0", Port: 80}, "[fe80::1%eth0]:80"},
		{"tcp://127.0.0.1:80", Bind{Network: "tcp", Host: "127.0.0.1", Port: 80}, "127.0.0.1:80"},
		{"unix", Bind{Network: "tcp", Host: "unix", Port: 8000}, "tcp://unix:8000"},
		{"tcp://[::1]:80/", Bind{Network: "tcp", Host: "::1", Port: 80}, "[::1]:80"},
		{"unix:/run/a.sock", Bind{Network: "unix", Path: "/run/a.sock"}, "unix:/run/a.sock"},
		{"unix:///run/a.sock", Bind{Network: "unix", Path: "/run/a.sock"}, "unix:/run/a.sock"},
		{"unix://a.sock", Bind{Network: "unix", Path: "a.sock"}, "unix:a.sock"},
		{"unix:a.sock", Bind{Network: "unix", Path: "a.sock"}, "unix:a.sock"},
		{"unix:@a", Bind{Network: "unix", Path: "@a"}, "unix:@a"},
		{"fd://3", Bind{Network: "fd", FD: 3}, "fd://3"},
		{"fd://0", Bind{Network: "fd"}, "fd://0"},
	} {
		got, err := ParseBind(c.text)
		c.want.Text = c.text
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if got.String() != c.back {
			t.Errorf("%q is written %q, want %q", c.text, got, c.back)
		}
	}
}

// The remedy is what the person at the terminal reads; it must be the right one
// for the mistake.
func TestParseBindSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", "write HOST:PORT"},
		{"tcp://", "write HOST:PORT"},
		{"8000", "write :8000"},
		{"1.2.3", "four numbers"},
		{"1.2.3.256:80", "four numbers"},
		{"*:8000", ":PORT for every address"},
		{"my host:80", "cannot be in a host name"},
		{"bücher:80", "cannot be in a host name"},
		{"127.0.0.1:", "number from 0 to 65535"},
		{"127.0.0.1:http", "number from 0 to 65535"},
		{"127.0.0.1:65536", "number from 0 to 65535"},
		{"127.0.0.1:-1", "number from 0 to 65535"},
		{"127.0.0.1:+1", "number from 0 to 65535"},
		{"::1", "write [::1]:8000"},
		{"2001:db8::1:8000", "write [2001:db8::1:8000]:8000"},
		{"a:b:c", "more than one colon"},
		{"[::1", "in brackets"},
		{"[127.0.0.1]:80", "in brackets"},
		{"[::1]80", "in brackets"},
		{"[]:80", "in brackets"},
		{"unix:", "no path"},
		{"unix://", "no path"},
		{"unix:@", "no path"},
		{"unix:/run/", "add the name"},
		{"unix:/a\x00b", "NUL"},
		{"unix:/" + strings.Repeat("x", maxPath), "choose a shorter directory"},
		{"fd://", "write fd://3"},
		{"fd://x", "write fd://3"},
		{"fd://-1", "write fd://3"},
		{"fd://99999999999", "write fd://3"},
		{"http://localhost:80", "not a kind of address"},
	} {
		got, err := ParseBind(c.text)
		if err == nil {
			t.Errorf("%q: %+v, want an error", c.text, got)
			continue
		}
		contains(t, err, "read address ", c.want)
	}
}

// What is read and written again is read as the same: addresses are passed on
// as text.
func FuzzParseBind(f *testing.F) {
	for _, seed := range []string{":80", "[::1]:80", "unix:@a", "unix:///a", "fd://3", "tcp://h/", "[fe80::1%a]", "1:2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseBind(text)
		if err != nil {
			return
		}
		second, err := ParseBind(first.String())
		if err != nil {
			t.Fatalf("%q is read as %+v, written %q, and then: %v", text, first, first, err)
		}
		first.Text, second.Text = "", ""
		if first != second {
			t.Fatalf("%q is read as %+v, and what is written of that as %+v", text, first, second)
		}
	})
}
