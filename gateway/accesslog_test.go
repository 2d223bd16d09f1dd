package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/accesslog"
	"github.com/indrik/indrik/dispatch"
	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/statsd"
)

// logged waits for a file to have so many lines, and returns them.
func logged(t *testing.T, path string, count int) (lines []string) {
	t.Helper()
	waitFor(t, func() bool {
		text, err := os.ReadFile(path)
		lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		return err == nil && len(text) > 0 && len(lines) >= count
	})
	return lines
}

// discarding is a ledger whose every line is written, to nowhere.
func discarding(t testing.TB, format string) *ledger {
	t.Helper()
	null, err := logsink.OpenFile("/dev/null")
	need(t, err)
	compiled, err := accesslog.Compile(format)
	need(t, err)
	writer := logsink.NewWriter(null, 1<<20, func(lost int, err error) { t.Errorf("%d lines lost: %v", lost, err) })
	nobody := statsd.Config{Network: "unixgram", Address: filepath.Join(t.TempDir(), "none")}
	return &ledger{
		rolls: []roll{{format: compiled, writers: []*logsink.Writer{writer}}}, heads: compiled.WantsHead(),
		stats: statsd.New(nobody, nil, func(error) {}),
	}
}

func TestTheAccessLogAllocatesNothing(t *testing.T) {
	for _, format := range []string{"combined", "json", `%({x-custom}i)s %({content-length}o)s %({server_name}e)s %({SERVER_SOFTWARE}e)s %(u)s %(queue_time)s`} {
		k := discarding(t, format)
		b := newLaneBench(t, false, k)
		for range 100 { // what comes together in a round or two has its room then
			b.turn()
		}
		// The goroutine that writes may need more room once, and StatsD's once a second.
		if n := testing.AllocsPerRun(500, b.turn); n >= 1 {
			t.Errorf("%v allocations per request with %s; want none", n, format)
		}
		k.close()
	}
}

func BenchmarkExpressLogged(b *testing.B) {
	for _, format := range []string{"combined", "json"} {
		b.Run(format, func(b *testing.B) {
			k := discarding(b, format)
			defer k.close()
			rig := newLaneBench(b, false, k)
			b.ReportAllocs()
			for b.Loop() {
				rig.turn()
			}
		})
	}
}

// Whatever way a request takes, its line is the same.
func TestEveryPathIsLogged(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	const format = `%(m)s %(U)s %(q)s %(H)s %(s)s %(b)s %({x-reply}o)s %({content-length}o)s %({X-Ask}i)s %({HTTP_X_ASK}e)s %({REMOTE_ADDR}e)s %({HTTPS}e)s %({server_software}e)s %(p)s %(queue_time)s`
	g, ca := newTLSRig(t, func(c *Config) { c.AccessLog, c.AccessFormat, c.BodyLimit = log, format, 1<<20 })
	seat := g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		closeFD(fd)
		if env["PATH_INFO"] == "/stream" {
			w := s.stream(id, fields("X-Reply", "yes"), "first,")
			_, _ = w.WriteString("second")
			s.finish(id, w, true)
			return
		}
		s.send(dispatch.Tuple{id, "200 OK", fields("X-Reply", "yes"), []byte("hello")})
	})
	said := func(method, path, protocol string, size int, length string) string {
		return fmt.Sprintf(`^%s %s a=1 %s 200 %d yes %s me me 127\.0\.0\.1 on indrik <%d> 0\.\d{6}$`, method, path, protocol, size, length, seat.pid)
	}
	secure, _ := g.secure(ca, nil)
	defer secure.Close()
	const asks = "Host: x\r\nX-Ask: me\r\n"
	secure.say("GET /whole?a=1 HTTP/1.1\r\n" + asks + "\r\n")
	secure.hear("GET")
	secure.say("HEAD /whole?a=1 HTTP/1.1\r\n" + asks + "\r\n")
	secure.hear("HEAD")
	secure.say("POST /whole?a=1 HTTP/1.1\r\n" + asks + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	secure.hear("POST")
	secure.say("GET /stream?a=1 HTTP/1.1\r\n" + asks + "\r\n")
	secure.hear("GET")
	ask(t, g.http2Client(ca), "GET", g.url("/whole?a=1"), nil, "X-Ask", "me")
	secure.say("POST /large?a=1 HTTP/1.1\r\n" + asks + "Content-Length: 2000000\r\n\r\n")
	secure.hear("POST")
	garbled, _ := g.secure(ca, nil)
	garbled.say("GET / HTTP/1.1\r\nbad\r\n\r\n")
	garbled.hear("GET")
	lines := logged(t, log, 7)
	for i, want := range []string{
		said("GET", "/whole", `HTTP/1\.1`, 5, "5"),
		said("HEAD", "/whole", `HTTP/1\.1`, 0, "-"),
		said("POST", "/whole", `HTTP/1\.1`, 5, "5"),
		said("GET", "/stream", `HTTP/1\.1`, 12, "-"),
		said("GET", "/whole", `HTTP/2`, 5, "5"),
		`^(POST /large a=1|- - ) (HTTP/1\.1|-) 413 0 - \d+ `,
		`^- -  - 400 0 - \d+ - - - - - - -$`,
	} {
		if i < len(lines) && !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d: got %q, want %s", i, lines[i], want)
		}
	}
}

// Plain connections take the express path, and what is refused there is logged too.
func TestTheExpressPathIsLogged(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	g := newRig(t, func(c *Config) { c.AccessLog, c.AccessFormat = log, "json" })
	seat := g.hire(0, text("hello"))
	c := g.dial()
	c.say("GET /a%20b?x HTTP/1.1\r\nHost: example.org\r\nUser-Agent: \"x\\\xc3\xa9\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\r\n")
	c.hear("GET")
	c.say("GET / HTTP/1.1\r\n\r\n") // without Host
	c.hear("GET")
	var got []map[string]any
	for _, line := range logged(t, log, 2) {
		var entry map[string]any
		check(t, json.Unmarshal([]byte(line), &entry))
		got = append(got, entry)
	}
	for key, want := range map[string]any{
		"method": "GET", "target": "/a%20b?x", "status": 200.0, "bytes": 5.0, "user": "me", "host": "example.org", "worker": float64(seat.pid),
		"user_agent": "\"x\\é", "remote_addr": "127.0.0.1", "referer": nil,
	} {
		if got[0][key] != want {
			t.Errorf("%s: got %v, want %v", key, got[0][key], want)
		}
	}
	if took := got[0]["duration"].(float64); took <= 0 || took > 10 || got[0]["queue_time"].(float64) > took {
		t.Errorf("duration %v, queue time %v", took, got[0]["queue_time"])
	}
	if got[1]["status"] != 400.0 || got[1]["remote_addr"] != "127.0.0.1" || got[1]["method"] != nil {
		t.Errorf("the refused one: %v", got[1])
	}
}

// What logrotate does to a busy service: each answered request is in one file.
func TestReopenLosesNoLine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	g := newRig(t, func(c *Config) { c.Loops, c.AccessLog, c.AccessFormat = 2, log, "%(U)s" })
	g.hire(0, text("ok"))
	const clients, requests, rotations = 4, 250, 4
	var asking sync.WaitGroup
	for i := range clients {
		c := g.dial()
		asking.Go(func() {
			for j := range requests {
				c.say(fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", i, j))
				if _, _, err := c.listen("GET"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range rotations {
		time.Sleep(20 * time.Millisecond) // let some be answered between
		check(t, os.Rename(log, fmt.Sprintf("%s.%d", log, i)))
		check(t, g.master.Send(ReopenOrder()))
		waitFor(t, func() bool { _, err := os.Stat(log); return err == nil })
	}
	asking.Wait()
	seen := map[string]int{}
	waitFor(t, func() bool {
		clear(seen)
		files, _ := filepath.Glob(log + "*")
		for _, name := range files {
			text, err := os.ReadFile(name)
			check(t, err)
			for line := range strings.Lines(string(text)) {
				seen[line]++
			}
		}
		return len(seen) == clients*requests
	})
	for line, n := range seen {
		if n != 1 {
			t.Errorf("%q is there %d times", line, n)
		}
	}
}

// receiver listens where the journal, syslog or StatsD would.
func receiver(t *testing.T) (path string, receive func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	ln, err := net.ListenPacket("unixgram", path)
	check(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	buffer := make([]byte, 1<<16)
	return path, func() string {
		t.Helper()
		check(t, ln.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, _, err := ln.ReadFrom(buffer)
		check(t, err)
		return string(buffer[:n])
	}
}

func TestJournalAndSyslogTogether(t *testing.T) {
	journal, entry := receiver(t)
	syslog, line := receiver(t)
	g := newRig(t, func(c *Config) {
		c.AccessLog, c.JournalSocket, c.AccessFormat = accessJournal, journal, `%(m)s %(U)s %(s)s`
		c.AccessSyslog = &Syslog{Syslog: logsink.Syslog{Network: "unixgram", Address: syslog}, Tag: "<14>gunicorn.shop.access: "}
	})
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		s.send(dispatch.Tuple{id, "500 Oops", fields(), []byte("oh")})
	})
	c := g.dial()
	c.say("GET /buy HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n\r\n")
	c.hear("GET")
	if got := line(); got != "<14>gunicorn.shop.access: GET /buy 500" {
		t.Errorf("syslog got %q", got)
	}
	got := strings.Split(entry(), "\n")
	for _, want := range []string{"MESSAGE=GET /buy 500", "HTTP_STATUS=500", "HTTP_METHOD=GET", "HTTP_PATH=/buy", "REMOTE_ADDR=127.0.0.1", "RESPONSE_BYTES=2", "PRIORITY=6"} {
		if !slices.Contains(got, want) {
			t.Errorf("the journal did not get %s in %q", want, got)
		}
	}
}

func TestNumbersForStatsD(t *testing.T) {
	path, receive := receiver(t)
	g := newRig(t, func(c *Config) { c.StatsD = &StatsD{Network: "unixgram", Address: path, Prefix: "shop", Tags: "a:b"} })
	g.hire(0, text("hello"))
	c := g.dial()
	c.say(get)
	c.hear("GET")
	c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	c.hear("POST")
	all := ""
	want := map[string]bool{"shop.gunicorn.request.status.200": false, "shop.gunicorn.requests": false}
	for counted := 0; counted < 4; { // the two may come in different seconds
		counted = 0
		all += receive() + "\n"
		for name := range want {
			for _, line := range strings.Split(all, "\n") {
				var n int
				if _, err := fmt.Sscanf(line, name+":%d|c|#a:b", &n); err == nil {
					counted += n
				}
			}
		}
	}
	if n := strings.Count(all, "shop.gunicorn.request.duration:"); n != 2 {
		t.Errorf("%d durations, want 2: %s", n, all)
	}
}

// Neither a full disk nor a reader that has stopped holds up one request.
func TestAnAccessLogThatCannotBeWritten(t *testing.T) {
	for _, where := range []string{"/dev/full", "-"} {
		r, out, err := os.Pipe() // nobody reads it
		check(t, err)
		t.Cleanup(func() { _, _ = r.Close(), out.Close() })
		g := newLogRig(t, out, func(c *Config) {
			c.AccessLog, c.AccessBuffer, c.AccessFormat = where, 4096, strings.Repeat("x", 1000)
		})
		g.hire(0, text("hello"))
		c := g.dial()
		for range 200 {
			c.say(get)
			c.hear("GET")
		}
		waitFor(t, func() bool { return strings.Contains(g.log.String(), "access log") })
		if n := strings.Count(g.log.String(), "access log"); n != 1 {
			t.Errorf("%s: it was told %d times:\n%s", where, n, g.log)
		}
		go func() { _, _ = io.Copy(io.Discard, r) }() // it goes on, so that the gateway can end
	}
}

// newLogRig is newRig with a standard output, and errors that the test causes.
func newLogRig(t *testing.T, stdout *os.File, change func(*Config)) *rig {
	t.Helper()
	g := startRigWith(t, Process{Stdout: stdout}, change)
	g.lenient = true
	g.share(1)
	g.serve()
	return g
}

func TestAFormatThatCannotBe(t *testing.T) {
	g := &gateway{log: hclog.NewNullLogger()}
	for _, c := range []struct{ where, format, want string }{
		{"-", "%h", "write %(h)s"},
		{accessJournal, "%(x)s", "no atom"},
		{filepath.Join(t.TempDir(), "none", "log"), "combined", "no such file"},
	} {
		g.config = Config{AccessLog: c.where, AccessFormat: c.format}
		if err := g.openLedger(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.format, err, c.want)
		}
	}
}
