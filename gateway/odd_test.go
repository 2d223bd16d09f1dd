package gateway

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

// readAll is an application that answers with the size of the body it was given
// and how it came.
func readAll(t *testing.T) application {
	return func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		how := "inline"
		if fd >= 0 {
			how = "file"
			f := os.NewFile(uintptr(fd), "body")
			var err error
			body, err = io.ReadAll(f)
			if err != nil {
				t.Error(err)
			}
			_ = f.Close()
		}
		s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Appendf(nil, "%s %d %v %.3s", how, len(body), env["CONTENT_LENGTH"], body)})
	}
}

// Bodies arrive whole, in the message or as a file, whatever their framing, and
// the connection goes on.
func TestBodiesOfEverySize(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, readAll(t))
	c := g.dial()
	for _, n := range []int{0, 1, 1000, inlineBody - 1, inlineBody, inlineBody + 1, memoryBody, memoryBody + 1, 5 << 20} {
		want := fmt.Sprintf("inline %d %d %.3s", n, n, strings.Repeat("b", n))
		if n > inlineBody {
			want = strings.Replace(want, "inline", "file", 1)
		}
		go func() {
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("b", n))
		}()
		if _, body := c.hear("POST"); body != want {
			t.Errorf("length %d: got %q, want %q", n, body, want)
		}
		go func() {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
			for left := n; left > 0; {
				size := min(left, 50_000)
				_, _ = fmt.Fprintf(c, "%x;ext=1\r\n%s\r\n", size, strings.Repeat("b", size))
				left -= size
			}
			_, _ = io.WriteString(c, "0\r\nX-T: x\r\n\r\n")
		}()
		if _, body := c.hear("POST"); body != want {
			t.Errorf("chunked %d: got %q, want %q", n, body, want)
		}
	}
}

// Requests that follow an odd one in the same packet are answered after it.
func TestPipeliningAcrossThePaths(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, readAll(t))
	c := g.dial()
	c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nde" +
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nf\r\n0\r\n\r\n" + get)
	for _, want := range []string{"inline 3 3 abc", "inline 2 2 de", "inline 1 1 f", "inline 0 <nil> "} {
		if _, body := c.hear("POST"); body != want {
			t.Errorf("got %q, want %q", body, want)
		}
	}
}

func TestExpectIsAnsweredBeforeTheBodyIsSent(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, readAll(t))
	c := g.dial()
	c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	line, err := c.in.ReadString('\n')
	check(t, err)
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q", line)
	}
	_, err = c.in.ReadString('\n')
	check(t, err)
	c.say("abc")
	if _, body := c.hear("POST"); body != "inline 3 3 abc" {
		t.Errorf("got %q", body)
	}
}

// A client that leaves or stops in the middle of its body costs no worker.
func TestUnfinishedBodiesNeverReachAWorker(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Patience = 300 * time.Millisecond })
	g.hire(0, text("reached the worker"))
	for _, head := range []string{"Content-Length: 100000", "Transfer-Encoding: chunked", "Content-Length: 10"} {
		c := g.dial()
		c.say("POST / HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\nA\r\n")
		if r, body := c.hear("POST"); r.StatusCode != 408 || !r.Close {
			t.Errorf("%s, stopped: %d %q", head, r.StatusCode, body)
		}
		c = g.dial()
		c.say("POST / HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\nA\r\n")
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		c.closed()
	}
}

func TestAFullDiskIsTheClientsToKnow(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SpoolDir = "/nowhere" })
	g.hire(0, text("reached the worker"))
	c := g.dial()
	c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("b", 70_000))
	if r, _ := c.hear("POST"); r.StatusCode != 507 || !r.Close {
		t.Errorf("got %v", r)
	}
	if !strings.Contains(g.log.String(), "/nowhere") {
		t.Error("the log does not name the directory")
	}
	g.log.reset()
}

func TestFileReplies(t *testing.T) {
	g := newRig(t, nil)
	content := strings.Repeat("0123456789", 300_000)
	type part struct {
		offset, length int64
		headers        dispatch.List
	}
	length := int64(len(content))
	wanted := shared[part]{v: part{0, length, fields()}}
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		fd := memfd(t, content)
		p := wanted.get()
		s.send(dispatch.Tuple{id, "200 OK", p.headers, dispatch.Tuple{p.offset, p.length}}, fd)
		_ = unix.Close(fd)
	})
	c := g.dial()
	c.say(get)
	if r, body := c.hear("GET"); body != content || r.ContentLength != length || r.Close {
		t.Errorf("got %d bytes of %d, close %v", len(body), r.ContentLength, r.Close)
	}
	c.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := c.hear("HEAD"); body != "" {
		t.Errorf("HEAD got %d bytes", len(body))
	}
	wanted.set(part{5, 1000, fields("Content-Length", "7")})
	c.say(get)
	if _, body := c.hear("GET"); body != "5678901" {
		t.Errorf("a part cut by its declared length came as %q", body)
	}
	wanted.set(part{0, length + 10, fields()})
	c.say(get)
	if _, body, err := c.listen("GET"); err == nil {
		t.Errorf("a file that is shorter than was said came as a whole body of %d", len(body))
	}
	if said := g.log.String(); !strings.Contains(said, "declared=7 body=1000") {
		t.Errorf("the log does not say that a body was cut:\n%s", said)
	}
	g.log.reset()
}

// stream begins a streamed reply and returns the worker's end.
func (s *seat) stream(id int64, headers dispatch.List, first string) *os.File {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(s.rig.t, err)
	s.send(dispatch.Tuple{id, "200 OK", headers, nil, []byte(first)}, pair[1])
	_ = unix.Close(pair[1])
	return os.NewFile(uintptr(pair[0]), "stream")
}

func (s *seat) finish(id int64, stream *os.File, complete bool) {
	s.send(dispatch.Tuple{id, nil, complete, ""})
	_ = stream.Close()
}

// Each piece of a stream reaches the client before the next one is made.
func TestStreamedPiecesArriveOneByOne(t *testing.T) {
	g := newRig(t, nil)
	next := make(chan bool)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		w := s.stream(id, fields(), "piece 0,")
		for i := 1; i < 5; i++ {
			<-next
			_, _ = fmt.Fprintf(w, "piece %d,", i)
		}
		<-next
		s.finish(id, w, true)
	})
	for _, version := range []string{"1.1", "1.0"} {
		c := g.dial()
		c.say("GET / HTTP/" + version + "\r\nHost: x\r\n\r\n")
		seen := ""
		for i := range 5 {
			for want := fmt.Sprintf("piece %d,", i); !strings.Contains(seen, want); {
				b, err := c.in.ReadByte()
				check(t, err)
				seen += string(b)
			}
			next <- true
		}
		rest := "\r\n0\r\n\r\n"
		if version == "1.0" {
			rest = ""
		}
		tail := make([]byte, len(rest))
		_, err := io.ReadFull(c.in, tail)
		check(t, err)
		if string(tail) != rest {
			t.Errorf("HTTP/%s stream ends with %q, want %q", version, tail, rest)
		}
		if version == "1.0" {
			c.closed()
		}
	}
}

// A response that the application broke off must not look whole.
func TestBrokenStreamsLookBroken(t *testing.T) {
	g := newRig(t, nil)
	type ending struct{ version, how, length string }
	var wanted shared[ending]
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		headers := fields()
		if length := wanted.get().length; length != "" {
			headers = fields("Content-Length", length)
		}
		w := s.stream(id, headers, "some")
		switch wanted.get().how {
		case "raised":
			s.finish(id, w, false)
		case "died":
			held := w // a process that the worker left behind holds its end
			s.dies("crashed", id)
			s.rig.t.Cleanup(func() { _ = held.Close() })
		case "short":
			s.finish(id, w, true)
		}
	})
	for _, c := range []ending{
		{"1.1", "raised", ""}, {"1.1", "raised", "10"}, {"1.0", "raised", ""}, {"1.1", "short", "10"}, {"1.1", "died", ""},
	} {
		wanted.set(c)
		client := g.dial()
		client.say("GET / HTTP/" + c.version + "\r\nHost: x\r\n\r\n")
		if _, body, err := client.listen("GET"); err == nil {
			t.Errorf("%+v: the client got %q and no error", c, body)
		}
	}
	g.log.reset() // the short one is told of
}

// The generator of a client that left learns it at its next write, and the seat
// is free again.
func TestAClientThatLeavesEndsTheStream(t *testing.T) {
	g := newRig(t, nil)
	failed := make(chan error, 1)
	g.hire(0, func(s *seat, id int64, env map[string]any, _ []byte, _ int) {
		if env["PATH_INFO"] == "/next" {
			text("next")(s, id, env, nil, -1)
			return
		}
		w := s.stream(id, fields(), "first")
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 64<<10))
		}
		failed <- err
		s.finish(id, w, false)
	})
	c := g.dial()
	c.say(get)
	_, err := c.in.ReadByte()
	check(t, err)
	_ = c.Close()
	select {
	case <-failed:
	case <-time.After(5 * time.Second):
		t.Fatal("the worker still writes to nobody")
	}
	after := g.dial()
	after.say("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := after.hear("GET"); body != "next" {
		t.Errorf("got %q", body)
	}
}

// Past what is held for it a slow client holds its own worker.
func TestBackPressureReachesTheWorker(t *testing.T) {
	g := newRig(t, func(c *Config) { c.ResponseBuffering = 1 << 20 })
	written := make(chan int, 1)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		w := s.stream(id, fields(), "")
		_ = w.SetWriteDeadline(time.Now().Add(time.Second))
		_ = unix.SetNonblock(int(w.Fd()), false)
		_ = unix.SetsockoptTimeval(int(w.Fd()), unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
		total := 0
		for {
			n, err := unix.Write(int(w.Fd()), make([]byte, 64<<10))
			if err != nil {
				break
			}
			total += n
		}
		written <- total
		s.finish(id, w, false)
	})
	c := g.dial()
	check(t, c.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
	c.say(get)
	select {
	case n := <-written:
		if n > 64<<20 {
			t.Errorf("%d bytes went to a client that reads nothing", n)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a client that reads nothing stops nobody")
	}
}

// HEAD asks for no body: the stream is closed at once, and the connection goes on.
func TestHeadOfAStream(t *testing.T) {
	g := newRig(t, nil)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, _ int) {
		w := s.stream(id, fields(), "first")
		var err error
		for err == nil {
			_, err = w.Write([]byte("more"))
		}
		s.finish(id, w, false)
	})
	c := g.dial()
	for range 3 {
		c.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, body := c.hear("HEAD"); body != "" || r.Close {
			t.Errorf("got %q, close %v", body, r.Close)
		}
	}
}
