package gateway

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// exhaust leaves this process, the gateway included, no descriptor until the end
// of the test or the call of restore.
func exhaust(t *testing.T) (restore func()) {
	t.Helper()
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = 200
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	var taken []int
	restore = func() {
		for _, fd := range taken {
			_ = unix.Close(fd)
		}
		taken = nil
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	t.Cleanup(restore)
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return restore
		}
		taken = append(taken, fd)
	}
}

// A request that needs a descriptor when there is none is refused politely,
// whether it has reached a worker or not; those that need none are served, and the
// log says so once.
func TestRequestsWithoutADescriptor(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Connections = 1000 })
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		if env["PATH_INFO"] == "/hint" {
			s.send(dispatch.Tuple{id, int64(103), fields("N", "0")})
		}
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("ok")})
	})
	plain, odd, hinted := g.dial(), g.dial(), g.dial()
	for _, c := range []*client{plain, odd, hinted} {
		c.say(get)
		c.hear("GET")
	}
	restore := exhaust(t)
	const chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
	odd.say(chunked)
	if r, _ := odd.hear("POST"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !r.Close {
		t.Errorf("a chunked body: %d, Retry-After %q, close %v", r.StatusCode, r.Header.Get("Retry-After"), r.Close)
	}
	odd.closed()
	for range 2 {
		hinted.say("GET /hint HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, _ := hinted.hear("GET"); r.StatusCode != 503 || r.Close {
			t.Errorf("early hints: %d, close %v", r.StatusCode, r.Close)
		}
		plain.say(get)
		if r, body := plain.hear("GET"); r.StatusCode != 200 || body != "ok" {
			t.Errorf("a plain request: %d %q", r.StatusCode, body)
		}
	}
	restore()
	for _, request := range []string{chunked, get} {
		hinted.say(request)
		if r, body := hinted.hear("GET"); r.StatusCode != 200 || body != "ok" {
			t.Errorf("afterwards: %d %q", r.StatusCode, body)
		}
	}
	if n := strings.Count(g.log.String(), "requests that need a descriptor were refused"); n != 1 {
		t.Errorf("the log says %d times that descriptors are short:\n%s", n, g.log)
	}
}

// A client that declares a long body and then dawdles holds little memory,
// whichever way its body goes.
func TestMemoryOfSlowBodies(t *testing.T) {
	const n, bound = 100, 12 << 10
	g := newRig(t, nil)
	g.hire(0, text("ok"))
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = g.dial()
	}
	before, goroutines := heapInUse(), runtime.NumGoroutine()
	for _, head := range []string{"Content-Length: 60000", "Transfer-Encoding: chunked"} {
		for _, c := range clients {
			c.say("POST / HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\n")
		}
		for range 3 {
			for _, c := range clients {
				c.say("1\r\n1\r\n")
			}
		}
		other := g.dial() // that it is answered says that the loop has read the others
		other.say(get)
		other.hear("GET")
		if head[0] == 'T' { // each has a goroutine
			waitFor(t, func() bool { return runtime.NumGoroutine() >= goroutines+n })
		}
		if grown := heapInUse() - before; grown > n*bound {
			t.Errorf("%s: %d bytes for each", head, grown/n)
		}
		for i, c := range clients {
			_ = c.Close()
			clients[i] = g.dial()
		}
	}
}
