package gateway

import (
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// What the loop sends itself must be the same as what a goroutine sends, on a
// connection that goes on.
func TestResponsesInMemoryOfAllSizes(t *testing.T) {
	g := newRig(t, nil)
	page := numbered(2 * loopFile)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		s.inMemfd(id, page[:len(env["QUERY_STRING"].(string))<<10])
	})
	c := g.dial()
	for _, kilobytes := range []int{0, 1, 65, 100, loopFile >> 10, loopFile>>10 + 1, 512} {
		c.say("GET /?" + strings.Repeat("x", kilobytes) + " HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, body := c.hear("GET"); r.StatusCode != 200 || body != string(page[:kilobytes<<10]) {
			t.Errorf("%d KiB: got %d with %d bytes", kilobytes, r.StatusCode, len(body))
		}
	}
	c.say("HEAD /?" + strings.Repeat("x", 100) + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if r, _ := c.hear("HEAD"); r.StatusCode != 200 {
		t.Errorf("HEAD: got %d", r.StatusCode)
	}
	c.say("GET /?" + strings.Repeat("x", 100) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if r, body := c.hear("GET"); len(body) != 100<<10 || !r.Close {
		t.Errorf("the last one: got %d bytes, close %v", len(body), r.Close)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after Connection: close there is more: %v", err)
	}
}

// A client that asks for much and reads late gets all of it, and nobody waits for it.
// What was reserved is given back, or there would soon be no room.
func TestResponsesInMemoryForAClientThatReadsLate(t *testing.T) {
	g := newRig(t, func(c *Config) { c.ResponseMemory, c.SpoolLimit = 1<<20, 1 })
	page := numbered(200 << 10)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) { s.inMemfd(id, page) })
	slow, fast := g.dial(), g.dial()
	check(t, slow.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
	const many = 60 // more than the kernel takes for one that does not read
	slow.say(strings.Repeat(get, many))
	for range 5 {
		fast.say(get)
		if _, body := fast.hear("GET"); body != string(page) {
			t.Fatalf("the other client got %d bytes", len(body))
		}
	}
	for i := range many {
		if r, body := slow.hear("GET"); r.StatusCode != 200 || body != string(page) {
			t.Fatalf("response %d: got %d with %d bytes", i, r.StatusCode, len(body))
		}
	}
}

// A memfd that holds less than its worker said ends the connection: what is missing
// must not be made up of the next response.
func TestAResponseInMemoryThatIsTooShort(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		fd, err := unix.MemfdCreate("reply", unix.MFD_CLOEXEC)
		check(t, err)
		file := os.NewFile(uintptr(fd), "reply")
		defer file.Close()
		_, err = file.WriteAt(make([]byte, 1000), 0)
		check(t, err)
		s.send(dispatch.Tuple{id, "200 OK", fields(), dispatch.Tuple{int64(0), int64(2000)}}, fd)
	})
	c := g.dial()
	c.say(get + get)
	said := make([]byte, 8<<10)
	total := 0
	for {
		n, err := c.Read(said[total:])
		if total += n; err != nil {
			break
		}
	}
	head, body, _ := strings.Cut(string(said[:total]), "\r\n\r\n")
	if !strings.Contains(head, "Content-Length: 2000") || len(body) != 1000 {
		t.Errorf("got %q and %d bytes, want 1000 of 2000 and the end", head, len(body))
	}
}
