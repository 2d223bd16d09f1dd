package accesslog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// asked is a request of a browser, as far as formats can ask for it.
type asked struct{ fields, variables map[string]string }

func (a asked) Field(name string) ([]byte, bool) {
	v, found := a.fields[strings.ToLower(name)]
	return []byte(v), found
}

func (a asked) Only(name string) ([]byte, bool) { return a.Field(name) }

func (a asked) Variable(name string) ([]byte, bool) {
	v, found := a.variables[strings.ToUpper(name)]
	return []byte(v), found
}

func browser() (Request, Response) {
	return Request{
			Client: []byte("192.0.2.7"), Method: []byte("GET"), Target: []byte("/a%20b?x=1"), Path: []byte("/a b"), Query: []byte("x=1"),
			Protocol: "HTTP/1.1", ID: []byte("4f2a"),
			Lookup: asked{
				fields: map[string]string{
					"referer": "http://example.org/\"", "user-agent": "Mozilla/5.0", "host": "example.com",
					"authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
				},
				variables: map[string]string{"REMOTE_PORT": "4711"},
			},
		}, Response{
			Time: time.Date(2026, 3, 9, 14, 5, 7, 89_000_000, time.FixedZone("", 3600)), Status: 200, Size: 13,
			Took: 1_234_567 * time.Microsecond, Waited: 1500 * time.Microsecond, PID: 4122,
			Head: []byte("HTTP/1.1 200 OK\r\nServer: indrik\r\nX-Cache:  hit \r\n\r\nX-Cache: body\r\n"),
		}
}

func render(t *testing.T, format string, r *Request, a *Response) string {
	t.Helper()
	f, err := Compile(format)
	if err != nil {
		t.Fatal(err)
	}
	return string(f.Answer(nil, f.Ask(nil, r), a))
}

func TestAtoms(t *testing.T) {
	request, response := browser()
	for format, want := range map[string]string{
		"%(h)s": "192.0.2.7", "%(l)s": "-", "%(u)s": "Aladdin", "%(t)s": "[09/Mar/2026:14:05:07 +0100]",
		"%(r)s": "GET /a%20b?x=1 HTTP/1.1", "%(s)s": "200", "%(m)s": "GET", "%(U)s": "/a b", "%(q)s": "x=1", "%(H)s": "HTTP/1.1",
		"%(b)s": "13", "%(B)s": "13", "%(f)s": `http://example.org/\"`, "%(a)s": "Mozilla/5.0",
		"%(T)s": "1", "%(M)s": "1234", "%(D)d": "1234567", "%(L)s": "1.234567", "%(p)s": "<4122>",
		"%({User-Agent}i)s": "Mozilla/5.0", "%({x-cache}o)s": "hit", "%({Server}o)s": "indrik", "%({remote_port}e)s": "4711",
		"%({X-None}i)s": "-", "%({X-None}o)s": "-", "%({NONE}e)s": "-",
		"%(request_id)s": "4f2a", "%(queue_time)s": "0.001500",
		"100%% %(s)s %(m)s é": "100% 200 GET é", "nothing": "nothing", "": "",
		"short":    "14:05:07 GET /a%20b?x=1 200 1234.6ms 13B",
		"combined": `192.0.2.7 - Aladdin [09/Mar/2026:14:05:07 +0100] "GET /a%20b?x=1 HTTP/1.1" 200 13 "http://example.org/\"" "Mozilla/5.0"`,
	} {
		if got := render(t, format, &request, &response); got != want+"\n" {
			t.Errorf("%s: got %q, want %q", format, got, want+"\n")
		}
	}
}

func TestWhatIsMissingIsADash(t *testing.T) {
	const format = `%(h)s %(u)s "%(r)s" %(m)s %(U)s [%(q)s] %(H)s %(f)s %({x}e)s %({x}o)s %(p)s %(queue_time)s %(request_id)s %(b)s`
	got := render(t, format, &Request{}, &Response{Waited: -1})
	if want := "- - \"-\" - - [] - - - - - - - 0\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever can write into a log what it likes can hide what it did.
func TestNoEntryCanBeForged(t *testing.T) {
	request, response := browser()
	evil := "x\"\n127.0.0.1 - - \x00\x1b[2J\x7f\\\xff\u00e9"
	request.Lookup = asked{fields: map[string]string{"user-agent": evil, "authorization": "Basic Ij46eA=="}, variables: map[string]string{"X": evil}}
	request.Target, request.Path, request.Client = []byte(evil), []byte(evil), []byte(evil)
	response.Head = []byte("HTTP/1.1 200 OK\r\nX: " + "a\"\x01b" + "\r\n\r\n")
	for _, format := range []string{"combined", `"%(U)s" "%(q)s" "%({x}e)s" "%({x}o)s"`, "json"} {
		got := render(t, format, &request, &response)
		if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
			t.Errorf("%s is not one line: %q", format, got)
		}
		for _, c := range []byte(got[:len(got)-1]) {
			if c < 0x20 || c > 0x7e {
				t.Errorf("%s holds the byte %#x: %q", format, c, got)
			}
		}
		if rest := strings.ReplaceAll(strings.ReplaceAll(got, `\\`, ""), `\"`, ""); strings.Count(rest, `"`)%2 != 0 {
			t.Errorf("%s has a quote that is not closed: %q", format, got)
		}
	}
}

func TestJSONIsAnObjectPerLine(t *testing.T) {
	request, response := browser()
	request.Lookup = asked{fields: map[string]string{"user-agent": "é\xff\U0001F600\"\\\n"}}
	line := render(t, "json", &request, &response)
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	want := map[string]any{
		"time": "2026-03-09T14:05:07.089000+01:00", "remote_addr": "192.0.2.7", "user": nil, "method": "GET", "target": "/a%20b?x=1",
		"protocol": "HTTP/1.1", "host": nil, "status": 200.0, "bytes": 13.0, "duration": 1.234567, "queue_time": 0.0015, "worker": 4122.0,
		"request_id": "4f2a", "trace_id": nil, "referer": nil, "user_agent": "éÿ\U0001F600\"\\\n",
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: got %#v, want %#v", key, got[key], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d members, want %d: %s", len(got), len(want), line)
	}
}

func TestJournalEntries(t *testing.T) {
	f, err := CompileJournal("%(m)s %(s)s")
	if err != nil {
		t.Fatal(err)
	}
	request, response := browser()
	got := string(f.Answer(nil, f.Ask(nil, &request), &response))
	for _, want := range []string{"\nMESSAGE=GET 200\n", "\nHTTP_STATUS=200\n", "\nHTTP_PATH=/a b\n", "\nREMOTE_ADDR=192.0.2.7\n", "\nQUEUE_USEC=1500\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if !strings.HasSuffix(got, "\n\n") || strings.Count(got, "\n\n") != 1 {
		t.Errorf("an entry ends with one empty line: %q", got)
	}
}

func TestFormatsThatAreRefused(t *testing.T) {
	for format, want := range map[string]string{
		"%h":            `write %(h)s`,
		"%(h)":          "does not end",
		"%(h":           "does not end",
		"%(D)6s":        "does not end",
		"%(z)s":         `no atom "z"`,
		"%({}i)s":       "no atom",
		"%({x}x)s":      "no atom",
		"100%":          "%% for a percent sign",
		"%(h)s\n%(s)s":  "control character",
		"\x00":          "control character",
		"%(s)s %(wrong": "does not end",
	} {
		for _, compile := range []func(string) (*Format, error){Compile, CompileJournal} {
			if _, err := compile(format); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %q in it", format, err, want)
			}
		}
	}
}

func TestOnlySomeFormatsWantTheHead(t *testing.T) {
	for format, want := range map[string]bool{"combined": false, "json": false, "%({etag}o)s": true} {
		if f, err := Compile(format); err != nil || f.WantsHead() != want {
			t.Errorf("%s: got %v, %v", format, f.WantsHead(), err)
		}
	}
}

func TestRenderingAllocatesNothing(t *testing.T) {
	request, response := browser()
	for _, format := range []string{"combined", "json", "short", `%({x-cache}o)s %({a}e)s %(L)s %(p)s`} {
		f, err := Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		// What this Lookup allocates is not the format's.
		request.Lookup = nothing{}
		note, out := make([]byte, 0, 4096), make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { out = f.Answer(out[:0], f.Ask(note, &request), &response) }); n > 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
}

type nothing struct{}

func (nothing) Field(string) ([]byte, bool)    { return nil, false }
func (nothing) Only(string) ([]byte, bool)     { return nil, false }
func (nothing) Variable(string) ([]byte, bool) { return nil, false }

func FuzzFormats(f *testing.F) {
	f.Add("%(h)s %({x}i)s", "agent\n", "HTTP/1.1 200 OK\r\na: b\r\n\r\n")
	f.Add("json", "\xff\x80", "\r\n\r\n")
	f.Fuzz(func(t *testing.T, text, value, head string) {
		format, err := Compile(text)
		if err != nil {
			return
		}
		request, response := browser()
		request.Target, response.Head = []byte(value), []byte(head)
		request.Lookup = asked{fields: map[string]string{"user-agent": value, "authorization": value}}
		got := format.Answer(nil, format.Ask(nil, &request), &response)
		if bytes.Count(got, []byte("\n")) != 1 || got[len(got)-1] != '\n' {
			t.Errorf("%q is not one line: %q", text, got)
		}
	})
}
