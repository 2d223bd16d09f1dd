package gateway

import (
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/dispatch"
)

// packet makes a uwsgi packet of names and values in turn.
func packet(pairs ...string) string {
	vars := []byte{}
	for _, text := range pairs {
		vars = binary.LittleEndian.AppendUint16(vars, uint16(len(text)))
		vars = append(vars, text...)
	}
	b := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(vars)))
	return string(append(append(b, 0), vars...))
}

func uwsgiRig(t *testing.T, allowed string) *rig {
	return newRig(t, func(c *Config) {
		c.Proxies = Proxies{Uwsgi: true, UwsgiAllowIPs: allowed, AllowIPs: "*", SchemeHeaders: schemeHeaders}
	})
}

func TestPacketsReachAWorker(t *testing.T) {
	g := uwsgiRig(t, "127.0.0.1")
	seen := make(chan map[string]any, 4)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, _ int) {
		seen <- env
		s.send(dispatch.Tuple{id, "201 Created", fields("X-A", "b"), body})
	})
	post := packet("REQUEST_METHOD", "POST", "REQUEST_URI", "/app/a%20b?c", "PATH_INFO", "/app/a b", "QUERY_STRING", "c", "SCRIPT_NAME", "/app",
		"CONTENT_LENGTH", "4", "CONTENT_TYPE", "t/p", "SERVER_PROTOCOL", "HTTP/2.0", "REQUEST_SCHEME", "https", "REMOTE_ADDR", "192.0.2.7", "REMOTE_PORT", "9",
		"SERVER_NAME", "s", "SERVER_PORT", "444", "HTTP_HOST", "h", "HTTP_X_A", "1", "HTTP_X_FORWARDED_PROTO", "http", "MY_VAR", "v")
	want := "REQUEST_METHOD=POST SCRIPT_NAME=/app RAW_URI=/app/a%20b?c QUERY_STRING=c CONTENT_LENGTH=4 CONTENT_TYPE=t/p SERVER_PROTOCOL=HTTP/2 " +
		"wsgi.url_scheme=https REMOTE_ADDR=192.0.2.7 REMOTE_PORT=9 SERVER_NAME=s SERVER_PORT=444 HTTP_HOST=h HTTP_X_A=1 MY_VAR=v HTTP_CONTENT_LENGTH-"
	for _, cut := range []int{0, 1, 3, 4, 30, len(post) - 1, len(post), len(post) + 2} {
		whole := post + "body"
		c := g.dial()
		c.say(whole[:cut])
		time.Sleep(200 * time.Microsecond) // mostly two reads; it must hold for one as well
		c.say(whole[cut:])
		r, body := c.hear("POST")
		if r.StatusCode != 201 || body != "body" || !r.Close || r.Header.Get("X-A") != "b" || len(r.TransferEncoding) > 0 {
			t.Errorf("cut at %d: got %v %q", cut, r, body)
		}
		c.closed()
		env := <-seen
		expectEnviron(t, "post", env, want)
		if env["PATH_INFO"] != "/a b" {
			t.Errorf("PATH_INFO is %q", env["PATH_INFO"])
		}
	}
	c := g.dial()
	c.say(packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/%61", "HTTPS", "on"))
	c.hear("GET")
	env := <-seen
	expectEnviron(t, "get", env, "PATH_INFO=/a SCRIPT_NAME= wsgi.url_scheme=https REMOTE_ADDR=127.0.0.1 SERVER_PROTOCOL=HTTP/1.0 CONTENT_LENGTH- MY_VAR-")
}

// A large body goes the goroutine path, as over HTTP.
func TestAPacketWithALargeBody(t *testing.T) {
	g := uwsgiRig(t, "*")
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte(env["CONTENT_LENGTH"].(string) + env["MY_VAR"].(string) + strconv.FormatBool(fd >= 0))})
	})
	c := g.dial()
	const size = inlineBody * 4
	c.say(packet("REQUEST_METHOD", "PUT", "REQUEST_URI", "/", "CONTENT_LENGTH", strconv.Itoa(size), "MY_VAR", "v"))
	c.say(strings.Repeat("b", size))
	if _, body := c.hear("PUT"); body != strconv.Itoa(size)+"vtrue" {
		t.Errorf("got %q", body)
	}
	c.closed()
}

func TestWhatIsNoPacket(t *testing.T) {
	g := uwsgiRig(t, "127.0.0.1")
	g.hire(0, text("reached the worker"))
	for _, bad := range []string{get, packet("REQUEST_METHOD", "GET"), "\x05\x00\x00\x00"} {
		c := g.dial()
		c.say(bad)
		if r, body := c.hear("GET"); r.StatusCode != 400 || strings.Contains(body, "reached") {
			t.Errorf("%q got %d %q, want 400", bad, r.StatusCode, body)
		}
	}
	stranger := uwsgiRig(t, "10.0.0.1")
	stranger.hire(0, text("reached the worker"))
	c := stranger.dial()
	_, _ = io.WriteString(c.Conn, packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/")) // it may be closed by now
	if rest, _ := io.ReadAll(c.Conn); len(rest) > 0 {
		t.Errorf("a stranger was answered %q", rest)
	}
	if said := stranger.log.String(); !strings.Contains(said, errPacketPeer.Error()) {
		t.Errorf("the log says %q", said)
	}
}
