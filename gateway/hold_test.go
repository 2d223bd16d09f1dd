package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// numbered is n bytes in which no two places look alike.
func numbered(n int) []byte {
	b := make([]byte, 0, n+16)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "%x,", i)
	}
	return b[:n]
}

// heldRig is a hold with a stream, and the other end of it.
func heldRig(t *testing.T, limit, spool int64) (*hold, *os.File) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	check(t, unix.SetNonblock(pair[0], true))
	check(t, unix.SetNonblock(pair[1], true))
	stream, worker := os.NewFile(uintptr(pair[0]), "stream"), os.NewFile(uintptr(pair[1]), "worker")
	t.Cleanup(func() { _, _ = stream.Close(), worker.Close() })
	g := &gateway{log: hclog.NewNullLogger(), spooled: newBudget(spool, t.TempDir())}
	g.config.SpoolDir, g.config.ResponseBuffering = t.TempDir(), limit
	return newHold(g, stream), worker
}

// taken reads a part as a client would see it.
func taken(t *testing.T, p part) []byte {
	if p.file == nil {
		return bytes.Join(p.chunks, nil)
	}
	b := make([]byte, p.length)
	_, err := p.file.ReadAt(b, p.offset)
	check(t, err)
	return b
}

// Whatever is held where, it comes out whole and in order, and leaves nothing.
func TestHeldBytesKeepTheirOrder(t *testing.T) {
	for _, c := range []struct {
		name         string
		limit, spool int64
	}{{"all fits", 64 << 20, 64 << 20}, {"memory only", 256 << 10, 1}, {"no spool left", 8 << 20, 100 << 10}, {"a small file", 1 << 20, 64 << 20}, {"nothing", 1, 1}} {
		t.Run(c.name, func(t *testing.T) {
			h, worker := heldRig(t, c.limit, c.spool)
			want := numbered(5 << 20)
			go func() {
				for i := 0; i < len(want); i += 7001 {
					_, _ = worker.Write(want[i:min(i+7001, len(want))])
				}
				_ = worker.Close()
			}()
			go h.fill()
			var got []byte
			for i := 0; ; i++ {
				if i < 6 {
					time.Sleep(4 * holdPause) // a client that is slow at first, so that memory overflows
				}
				p, more := h.next()
				if !more {
					break
				}
				got = append(got, taken(t, p)...)
				h.sent(p)
			}
			h.close()
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes came out of %d that went in, or in another order", len(got), len(want))
			}
			if n := h.gateway.spooled.used.Load(); n != 0 {
				t.Errorf("%d bytes of the spool are still taken", n)
			}
		})
	}
}

// A client that does not read holds no worker, and gets all of it when it does.
func TestASlowClientHoldsNoWorker(t *testing.T) {
	g := newRig(t, nil)
	page := numbered(8 << 20)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		if env["PATH_INFO"] == "/next" {
			text("next")(s, id, env, nil, -1)
			return
		}
		headers := fields()
		if env["PATH_INFO"] == "/length" {
			headers = fields("Content-Length", fmt.Sprint(len(page)))
		}
		w := s.stream(id, headers, string(page[:5]))
		_, err := w.Write(page[5:])
		s.finish(id, w, err == nil)
	})
	for _, path := range []string{"/chunked", "/length", "/old"} {
		c := g.dial()
		check(t, c.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
		version := "1.1"
		if path == "/old" {
			version = "1.0"
		}
		c.say("GET " + path + " HTTP/" + version + "\r\nHost: x\r\n\r\n")
		other := g.dial()
		other.say("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, body := other.hear("GET"); body != "next" { // by the only worker there is
			t.Fatalf("got %q", body)
		}
		if _, body := c.hear("GET"); body != string(page) {
			t.Errorf("%s: the slow client got %d bytes of %d", path, len(body), len(page))
		}
	}
}

// A client that leaves is noticed also while the stream is silent, whether it
// says so by an end or by a reset.
func TestALeavingClientEndsASilentStream(t *testing.T) {
	g := newRig(t, nil)
	s := g.hire(0, nil)
	for _, linger := range []int{-1, 0} {
		c := g.dial()
		c.say(get)
		id, _, _, _, _ := s.take()
		w := s.stream(id, fields(), "first")
		_, err := c.in.ReadByte()
		check(t, err)
		check(t, c.Conn.(*net.TCPConn).SetLinger(linger))
		_ = c.Close()
		fds := []unix.PollFd{{Fd: int32(w.Fd())}} // POLLHUP is always told
		if n, err := unix.Poll(fds, 5000); n != 1 || err != nil {
			t.Fatalf("linger %d: the stream is still open: %v", linger, err)
		}
		if _, err := unix.Write(int(w.Fd()), []byte("x")); !errors.Is(err, unix.EPIPE) {
			t.Errorf("linger %d: the next write: %v", linger, err)
		}
		s.finish(id, w, false)
	}
}

// A half-closed client of a stream that moves gets all of it.
func TestAHalfClosedClientGetsItsStream(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		w := s.stream(id, fields(), "")
		for i := range 10 {
			time.Sleep(150 * time.Millisecond) // the pace of the application
			_, _ = fmt.Fprintf(w, "%d,", i)
		}
		s.finish(id, w, true)
	})
	c := g.dial()
	c.say(get)
	check(t, c.Conn.(*net.TCPConn).CloseWrite())
	if _, body := c.hear("GET"); body != "0,1,2,3,4,5,6,7,8,9," {
		t.Errorf("got %q", body)
	}
}

// The spool's limit is one for all: past it a body waits for nobody and breaks
// nothing, and what was taken is given back.
func TestTheSpoolHasALimit(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SpoolLimit = 3 << 20 })
	s := g.hire(0, nil)
	upload := func(n int) *client {
		c := g.dial()
		go func() {
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("b", n))
		}()
		return c
	}
	for range 3 {
		held := upload(2 << 20)
		id, _, _, fd, _ := s.take()
		closeFD(fd)
		if r, _ := upload(2 << 20).hear("POST"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("past the limit: %v", r)
		}
		small := upload(1000)
		next, _, body, _, _ := s.take()
		s.send(dispatch.Tuple{next, "200 OK", fields(), body})
		if _, got := small.hear("POST"); len(got) != 1000 {
			t.Errorf("a small body beside it: %d bytes", len(got))
		}
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("done")})
		if _, got := held.hear("POST"); got != "done" {
			t.Errorf("the body within the limit got %q", got)
		}
	}
}

// A disk that is really full is one upload's failure. A response that cannot be
// stored goes out all the same.
func TestAFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "full")
	check(t, os.Mkdir(dir, 0o700))
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	g := newRig(t, func(c *Config) { c.SpoolDir, c.SpoolLimit = dir, 1<<40 })
	page := numbered(8 << 20)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		closeFD(fd)
		if env["REQUEST_METHOD"] == "POST" {
			text("stored")(s, id, env, body, -1)
			return
		}
		w := s.stream(id, fields(), "")
		_, err := w.Write(page)
		s.finish(id, w, err == nil)
	})
	for range 2 {
		c := g.dial()
		go func() {
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", 4<<20, strings.Repeat("b", 4<<20))
		}()
		if r, _ := c.hear("POST"); r.StatusCode != 507 || !r.Close {
			t.Errorf("a body that does not fit: %v", r)
		}
		small := g.dial()
		go func() {
			_, _ = fmt.Fprintf(small, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", 700_000, strings.Repeat("b", 700_000))
		}()
		if _, body := small.hear("POST"); body != "stored" {
			t.Errorf("one that does: %q", body)
		}
		slow := g.dial()
		check(t, slow.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
		slow.say(get)
		time.Sleep(200 * time.Millisecond) // so that the client is seen to be slow
		if _, body := slow.hear("GET"); body != string(page) {
			t.Errorf("the response came as %d bytes of %d", len(body), len(page))
		}
	}
	if said := g.log.String(); !strings.Contains(said, "no space left on device") {
		t.Errorf("the log does not say why:\n%s", said)
	}
	g.log.reset()
}
