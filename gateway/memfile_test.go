package gateway

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// inMemfd replies with a finished body in a memfd.
func (s *seat) inMemfd(id int64, page []byte) {
	s.rig.t.Helper()
	fd, err := unix.MemfdCreate("reply", unix.MFD_CLOEXEC)
	check(s.rig.t, err)
	file := os.NewFile(uintptr(fd), "reply")
	defer file.Close()
	_, err = file.WriteAt(page, 0)
	check(s.rig.t, err)
	s.send(dispatch.Tuple{id, "200 OK", fields(), dispatch.Tuple{int64(0), int64(len(page))}}, fd)
}

// Slow clients of large responses must not fill the memory: what is over the
// limit lies on disk, and every client gets what it asked for.
func TestFinishedResponsesHaveALimitInMemory(t *testing.T) {
	dir := t.TempDir()
	g := newRig(t, func(c *Config) { c.SpoolDir, c.ResponseMemory = dir, 20<<20 })
	page := numbered(8 << 20)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) { s.inMemfd(id, page) })
	var clients []*client
	for range 5 {
		c := g.dial()
		check(t, c.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
		c.say(get)
		clients = append(clients, c)
	}
	awaitSpooled(t, dir, 3*8<<20) // two of the five have their place in memory
	for i, c := range clients {
		if _, body := c.hear("GET"); body != string(page) {
			t.Errorf("client %d got %d bytes of %d", i, len(body), len(page))
		}
		_ = c.Close()
	}
	awaitSpooled(t, dir, 0)
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %q, %v", names, err)
	}
}

// awaitSpooled waits until the files without a name in dir that this process has
// open hold so many bytes.
func awaitSpooled(t *testing.T, dir string, want int64) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // nothing tells of a copy
		links, err := filepath.Glob("/proc/self/fd/*")
		check(t, err)
		var have int64
		for _, link := range links {
			info, err := os.Stat(link)
			if target, _ := os.Readlink(link); err == nil && strings.HasPrefix(target, dir+"/") && strings.HasSuffix(target, "(deleted)") {
				have += info.Size()
			}
		}
		if have == want {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d bytes are on disk, want %d", have, want)
		}
	}
}

// Without room on disk either the client is told to come again, and the others
// are served.
func TestNoRoomForAFinishedResponse(t *testing.T) {
	g := newRig(t, func(c *Config) { c.ResponseMemory, c.SpoolLimit = 1, 1<<20 })
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		if env["PATH_INFO"] == "/large" {
			s.inMemfd(id, numbered(2<<20))
			return
		}
		s.inMemfd(id, numbered(1<<20))
	})
	c := g.dial()
	c.say("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	if r, _ := c.hear("GET"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %v", r)
	}
	c.say(get)
	if r, body := c.hear("GET"); r.StatusCode != 200 || len(body) != 1<<20 {
		t.Errorf("got %d with %d bytes", r.StatusCode, len(body))
	}
}

// A body that is not as long as was declared is told of, however it comes.
func TestAnotherLengthIsLogged(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		headers := fields("Content-Length", "5")
		switch env["PATH_INFO"] {
		case "/whole":
			s.send(dispatch.Tuple{id, "200 OK", headers, []byte("longer than that")})
		case "/stream":
			w := s.stream(id, headers, "longer")
			s.finish(id, w, true)
		}
	})
	for i, path := range []string{"/whole", "/stream"} {
		c := g.dial()
		c.say("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, body := c.hear("GET"); body != "longe" {
			t.Errorf("%s: got %q", path, body)
		}
		_ = c.Close()
		for limit := time.Now().Add(5 * time.Second); strings.Count(g.log.String(), "application declared another length") != i+1; time.Sleep(5 * time.Millisecond) { // it is logged beside the sending
			if time.Now().After(limit) {
				t.Fatalf("%s: the log does not say so:\n%s", path, g.log)
			}
		}
	}
	g.log.reset()
}
