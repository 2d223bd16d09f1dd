package settings

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTOML(t *testing.T) {
	layer, err := FromTOML("indrik.toml", []byte(`
# a comment
bind = ["127.0.0.1:8000", "unix:/run/app.sock"]
workers = 4
timeout = "1m30s"
graceful_timeout = 2.5
limit_request_body = "64MiB"
casefold_http_method = true
pythonpath = ["/a", "/b"]
raw_env = ["A=1 2"]

[unit]
user = "www-data"
workers = "not ours"
`))
	if err != nil {
		t.Fatal(err)
	}
	v := resolve(t, layer)
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"bind", v.Bind(), []string{"127.0.0.1:8000", "unix:/run/app.sock"}},
		{"workers", v.Workers(), 4},
		{"timeout", v.Timeout(), 90 * time.Second},
		{"graceful_timeout", v.GracefulTimeout(), 2500 * time.Millisecond},
		{"limit_request_body", v.LimitRequestBody(), 64 << 20},
		{"casefold_http_method", v.CasefoldHTTPMethod(), true},
		{"pythonpath", v.PythonPath(), []string{"/a", "/b"}},
		{"raw_env", v.RawEnv(), []string{"A=1 2"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.name, c.got, c.want)
		}
		if v.Source(c.name) != ConfigFile {
			t.Errorf("%s comes from %v", c.name, v.Source(c.name))
		}
	}
	if got := v.Origin("workers"); got != "indrik.toml:4: workers" {
		t.Errorf("origin of workers: %s", got)
	}
}

// An editor must be able to jump to the mistake.
func TestTOMLRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"workers = 2\n\n  wrokers = 3":       `a.toml:3:3: no setting is called "wrokers"; did you mean workers?`,
		"[servre]\nx = 1":                    `a.toml:1:2: no setting is called "servre"`,
		"quux = 1":                           `a.toml:1:1: no setting is called "quux"; docs/settings.md lists them`,
		"workers = [1]":                      `a.toml:1:1: setting workers: it takes one value, not an array`,
		"workers = true":                     `a.toml:1:1: setting workers: a boolean is not what it takes; give a whole number`,
		"workers = 1.5":                      `a.toml:1:1: setting workers: a float is not what it takes`,
		"timeout = 1979-05-27":               `a.toml:1:1: setting timeout: a date or time is not what it takes`,
		"workers.a = 1":                      `a.toml:1:1: setting workers: a table is not what it takes`,
		"casefold_http_method = 1":           `a.toml:1:1: setting casefold_http_method: an integer is not what it takes; give true or false`,
		"bind = [1]":                         `a.toml:1:1: setting bind: an integer is not what it takes`,
		"workers = 2\nworkers = 3":           `a.toml:2:`,
		"workers 2":                          `a.toml:1:`,
		"# \xff":                             `a.toml:1:3: `,
		"bind = \"a\"\n\"work\\u0065r\" = 1": `a.toml:2:1: no setting is called "worker"`,
	} {
		_, err := FromTOML("a.toml", []byte(text))
		var at *FileError
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestTOMLValueIsRefusedLikeAnyOther(t *testing.T) {
	layer, err := FromTOML("a.toml", []byte("\nworkers = 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Resolve(layer)
	want := `setting workers: a.toml:2: workers is "0": out of range`
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Whatever a file holds, the answer is a layer or an error that names a place.
func FuzzTOML(f *testing.F) {
	f.Add([]byte("bind = [\"a\"]\n[unit]\nx = 1"))
	f.Add([]byte("'a\\u0062' = 1\r\n[[b]]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		layer, err := FromTOML("f", text)
		var at *FileError
		if errors.As(err, &at) && (at.Line < 1 || at.Column < 1) {
			t.Fatalf("%q: %v", text, err)
		}
		_, _ = Resolve(layer) // must not panic
	})
}

func TestSizesAndTimes(t *testing.T) {
	size := Setting{Kind: Bytes, Min: 0, Max: 1 << 40}
	for text, want := range map[string]int{
		"0": 0, "17": 17, "64KiB": 65536, "64 kib": 65536, "10MB": 10_000_000, "1GiB": 1 << 30, "5b": 5, "1TiB": 1 << 40,
	} {
		if got, err := size.parse(text, nil); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "1k", "1M", "-1", "-1KiB", "1.5MiB", "2TiB", "99999999999999999999", "9999999999TiB", "0x10", "KiB", "1 2KiB"} {
		if got, err := size.parse(text, nil); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
	length := Setting{Kind: Seconds, Min: 0, Max: 3600}
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "0.25": 250 * time.Millisecond, "1m30s": 90 * time.Second, "500ms": 500 * time.Millisecond, "1h": time.Hour,
	} {
		if got, err := length.parse(text, nil); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "-1", "-1s", "2h", "1d", "1e3", "inf", "nan", "0x1p4", "1 s", "3601", "1e400"} {
		if got, err := length.parse(text, nil); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

// The order in which sources count is a promise of docs/settings.md.
func TestPrecedence(t *testing.T) {
	vars := environment(map[string]string{
		"WEB_CONCURRENCY": "2", "INDRIK_WORKERS": "5", "INDRIK_BIND": `unix:/a "unix:/with blank"`, "INDRIK_TIMEOUT": "",
	})
	platform, env := FromPlatform(vars), FromEnvironment(vars)
	file := Layer{Source: ConfigFile, Items: []Item{{Name: "workers", Texts: []string{"3"}}}}
	args := Layer{Source: Arguments, Items: []Item{{Name: "workers", Texts: []string{"4"}}}}
	for i, layers := range [][]Layer{{}, {platform}, {platform, file}, {args, platform, file}, {env, args, platform}, {line("workers", "6"), env, args}} {
		if got := resolve(t, layers...).Workers(); got != i+1 {
			t.Errorf("case %d: %d workers", i, got)
		}
	}
	v := resolve(t, env)
	if got, want := v.Bind(), []string{"unix:/a", "unix:/with blank"}; !reflect.DeepEqual(got, want) {
		t.Errorf("bind: got %q, want %q", got, want)
	}
	if got := v.Origin("workers"); got != "INDRIK_WORKERS" {
		t.Errorf("origin of workers: %s", got)
	}
	_, err := Resolve(FromEnvironment(environment(map[string]string{"INDRIK_BIND": `"open`})))
	if err == nil || !strings.Contains(err.Error(), "INDRIK_BIND") {
		t.Errorf("an open quote: %v", err)
	}
}
