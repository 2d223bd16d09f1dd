package e2e

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// devApps answer "first", and raise an error for /raise; /hold takes a minute.
var devApps = map[string]string{
	"WSGI": `
import time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("<script>alert(1)</script>")  # the line
    if environ["PATH_INFO"] == "/hold":
        print("held", flush=True)
        time.sleep(60)
    start_response("200 OK", [("Content-Length", "5")])
    return [b"first"]
`,
	"ASGI": `
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/raise":
        raise ValueError("<script>alert(1)</script>")  # the line
    if scope["path"] == "/hold":
        print("held", flush=True)
        await asyncio.sleep(60)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"first"})
`,
}

// Whoever writes an application sees its requests, its errors and its changes, and ends it
// at once.
func TestDevelopment(t *testing.T) {
	t.Parallel()
	for name, text := range devApps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := site{t: t, dir: t.TempDir()}
			w.put("app.py", text)
			w.put("indrik.toml", "bind = \"0.0.0.0:80\"\nworkers = 8\nuser = \"nobody-of-that-name\"\ncontrol_socket = \"control\"\naccesslog = \"log\"\n")
			c := onTerminal(t, w.dir, nil, "dev", "--bind", "127.0.0.1:0", "--python", world.python, ".")
			c.sees(`\x1b\[94m\[INFO\]\x1b\[0m  indrik\.master: serving: gen=1 ready=1 workers=1 `)
			web := &visitor{t: t, base: "http://" + c.sees(`address=(127\.0\.0\.1:\d+)`)[1]}

			if status, _, body := web.get("/a?b=1", "*/*"); status != 200 || body != "first" {
				t.Errorf("got %d %q", status, body)
			}
			c.sees(`\d\d:\d\d:\d\d GET /a\?b=1 200 \d+\.\dms 5B\r\n`)
			status, fields, body := web.get("/raise", "text/html")
			line := "<b><i>" + lineOf(text, "# the line") + "</i>        raise ValueError(&quot;&lt;script&gt;alert(1)"
			if status != 500 || !strings.Contains(body, line) || strings.Contains(body, "<script") ||
				!strings.Contains(body, "GET /raise") || !strings.Contains(fields.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("got %d %v %s, want %s in it", status, fields, body, line)
			}
			if status, _, body := web.get("/raise", "*/*"); status != 500 || !strings.HasPrefix(body, "Traceback (most recent call last)") {
				t.Errorf("without a browser: %d %s", status, body)
			}
			c.sees(`GET /raise 500 \d+\.\dms \d+B\r\n`)

			w.put("app.py", strings.ReplaceAll(text, "first", "newer"))
			within(t, patience, "the change is served", func() bool { _, _, body := web.get("/", "*/*"); return body == "newer" })
			w.put("app.py", "import nothing_of_that_name\n")
			within(t, patience, "the mistake is shown", func() bool {
				_, _, body := web.get("/", "text/html")
				return strings.Contains(body, "nothing_of_that_name")
			})
			w.put("app.py", text)
			within(t, patience, "it is mended", func() bool { _, _, body := web.get("/", "*/*"); return body == "first" })

			go web.try("/hold")
			c.sees(`held`)
			begin := time.Now()
			c.press("\x03") // a signal here, for the terminal is as it was
			c.over(0)
			if took := time.Since(begin); took > patience/2 {
				t.Errorf("it ended %v after Ctrl-C", took)
			}
		})
	}
	t.Run("not in service", func(t *testing.T) {
		t.Parallel()
		s := serve(t, launch{app: "plain", args: []string{"--reload"}})
		s.allow("Traceback (most recent")
		request, err := http.NewRequest("GET", s.url("/raise"), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/html")
		if status, body := s.read(s.web.Do(request)); status != 500 || strings.Contains(body, "RuntimeError") || strings.Contains(body, "plain.py") {
			t.Errorf("got %d %s", status, body)
		}
		s.stop()
	})
}

// What makes development dangerous is said, and nothing but an application is served so.
func TestDevelopmentWarns(t *testing.T) {
	t.Parallel()
	c := onTerminal(t, "", []string{"NO_COLOR=1", "NOTIFY_SOCKET=@nobody"}, "dev", "--bind", "0.0.0.0:0", "--python", world.python, "plain")
	c.sees(` \[WARN\]  indrik: development under systemd: `)
	c.sees(` \[WARN\]  indrik: development is open to others: bind=0\.0\.0\.0:0 `)
	c.sees(`serving: gen=1`)
	if strings.Contains(c.all(), "\x1b[9") {
		t.Error("NO_COLOR has colours")
	}
	c.press("\x03")
	c.over(0)
}

// visitor asks one service, and keeps no connection.
type visitor struct {
	t    testing.TB
	base string
}

func (b *visitor) get(path, accept string) (status int, fields http.Header, body string) {
	b.t.Helper()
	request, err := http.NewRequest("GET", b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	request.Close = true
	r, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close() // read side; nothing to lose
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.StatusCode, r.Header, string(text)
}

// try asks for something that may never come.
func (b *visitor) try(path string) {
	if r, err := (&http.Client{Timeout: patience}).Get(b.base + path); err == nil {
		_ = r.Body.Close() // nobody wants it
	}
}

// lineOf is the number of the line of a text that holds part.
func lineOf(text, part string) string {
	before, _, _ := strings.Cut(text, part)
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}
