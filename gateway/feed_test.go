package gateway

import (
	"errors"
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

func streaming(c *Config) { c.RequestBuffering = "off" }

const post = "POST / HTTP/1.1\r\nHost: x\r\n"

// arriving is a worker's end of a body that is read as it arrives.
func arriving(fd int) *os.File { return os.NewFile(uintptr(fd), "body") }

// wish is what a worker does before it reads for the first time.
func wish(t *testing.T, body *os.File) {
	t.Helper()
	_, err := body.Write([]byte("."))
	check(t, err)
}

// readStreamed answers with what came, and how.
func readStreamed(s *seat, id int64, env map[string]any, body []byte, fd int) {
	how, err := "inline", error(nil)
	if fd >= 0 {
		how = fmt.Sprintf("stream of %d", s.declared)
		f := arriving(fd)
		_, _ = f.Write([]byte(".")) // an error shows in the reading
		body, err = io.ReadAll(f)
		_ = f.Close()
	}
	s.send(dispatch.Tuple{id, "200 OK", fields(), fmt.Appendf(nil, "%s: %d %.3s %v %v", how, len(body), body, env["CONTENT_LENGTH"], err)})
}

// Bodies of every framing and size arrive whole, and the connection goes on.
func TestStreamedBodies(t *testing.T) {
	g := newRig(t, streaming)
	g.hire(0, readStreamed)
	c := g.dial()
	for _, n := range []int{0, 1, inlineBody, 1 << 20, 3 << 20} { // the last two are more than one read
		data := strings.Repeat("b", n)
		go func() { _, _ = fmt.Fprintf(c, post+"Content-Length: %d\r\n\r\n%s", n, data) }()
		want := fmt.Sprintf("stream of %d: %d %.3s %d <nil>", n, n, data, n)
		if n <= inlineBody {
			want = strings.Replace(want, fmt.Sprintf("stream of %d", n), "inline", 1)
		}
		if _, body := c.hear("POST"); body != want {
			t.Errorf("length %d: got %q, want %q", n, body, want)
		}
		go func() {
			_, _ = io.WriteString(c, post+"Transfer-Encoding: chunked\r\n\r\n")
			for left := n; left > 0; left -= min(left, 50_000) {
				_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", min(left, 50_000), data[:min(left, 50_000)])
			}
			_, _ = io.WriteString(c, "0\r\n\r\n")
		}()
		want = fmt.Sprintf("stream of -1: %d %.3s <nil> <nil>", n, data)
		if _, body := c.hear("POST"); body != want {
			t.Errorf("chunked %d: got %q, want %q", n, body, want)
		}
	}
}

// What follows a streamed body belongs to the next request, read or not.
func TestPipeliningBehindStreamedBodies(t *testing.T) {
	g := newRig(t, streaming)
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		if env["PATH_INFO"] == "/unread" {
			closeFD(fd)
			fd = -1
		}
		readStreamed(s, id, env, body, fd)
	})
	big := strings.Repeat("b", 200_000) // more than one read, less than discardLimit
	c := g.dial()
	go func() {
		_, _ = io.WriteString(c, post+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+
			fmt.Sprintf("POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(big), big)+
			fmt.Sprintf(post+"Content-Length: %d\r\n\r\n%s", len(big), big)+get)
	}()
	for _, want := range []string{"stream of -1: 3 abc", "inline: 0", "stream of 200000: 200000 bbb", "inline: 0"} {
		if r, body := c.hear("POST"); !strings.HasPrefix(body, want) || r.Close {
			t.Errorf("got %q, close %v, want %q", body, r.Close, want)
		}
	}
}

// Each piece is with the worker before the next is sent, and the response may
// begin before the body ends.
func TestPiecesOfABodyArriveOneByOne(t *testing.T) {
	g := newRig(t, streaming)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, fd int) {
		body, w := arriving(fd), s.stream(id, fields(), "begun,")
		wish(s.rig.t, body)
		_, _ = io.Copy(w, body)
		_ = body.Close()
		s.finish(id, w, true)
	})
	c := g.dial()
	c.say(post + "Transfer-Encoding: chunked\r\n\r\n")
	for _, piece := range []string{"begun,", "one,", "two,"} {
		if piece != "begun," {
			c.say(fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
		} else {
			for line := ""; line != "\r\n"; {
				var err error
				line, err = c.in.ReadString('\n')
				check(t, err)
			}
		}
		c.hears(fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
	}
	c.say("0\r\n\r\n")
	c.hears("0\r\n\r\n")
}

// A small body that does not come is not waited for.
func TestSmallBodiesAreWaitedForBriefly(t *testing.T) {
	g := newRig(t, streaming)
	s := g.hire(0, nil)
	c := g.dial()
	c.say(post + "Content-Length: 4\r\n\r\nab")
	id, _, _, fd, _ := s.take()
	if fd < 0 || s.declared != 4 {
		t.Fatalf("the worker got descriptor %d and a length of %d", fd, s.declared)
	}
	body := arriving(fd)
	wish(t, body)
	c.say("cd")
	all, err := io.ReadAll(body)
	check(t, err)
	s.send(dispatch.Tuple{id, "200 OK", fields(), all})
	if r, got := c.hear("POST"); got != "abcd" || r.Close {
		t.Errorf("got %q, close %v", got, r.Close)
	}
}

// 100 (Continue) is the application's first read; a response without one is
// final, and the connection closes, as nobody knows whether the body will come.
func TestExpectIsAnsweredByTheFirstRead(t *testing.T) {
	g := newRig(t, streaming)
	s := g.hire(0, nil)
	for _, read := range []bool{true, false} {
		c := g.dial()
		c.say(post + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
		id, _, _, fd, _ := s.take()
		body := arriving(fd)
		if !read {
			s.send(dispatch.Tuple{id, "403 Forbidden", fields(), []byte("no")})
			if r, got := c.hear("POST"); r.StatusCode != 403 || got != "no" || !r.Close {
				t.Errorf("unread: got %v %q, close %v", r.StatusCode, got, r.Close)
			}
			c.closed()
			if _, err := body.Write([]byte(".")); !errors.Is(err, unix.EPIPE) {
				t.Errorf("a wish after the response: %v", err)
			}
			_ = body.Close()
			continue
		}
		check(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		if b, err := c.in.Peek(1); err == nil {
			t.Fatalf("before the first read the client got %q", b)
		}
		check(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		wish(t, body)
		c.hears("HTTP/1.1 100 Continue\r\n\r\n")
		c.say("abc")
		all, err := io.ReadAll(body)
		check(t, err)
		_ = body.Close()
		s.send(dispatch.Tuple{id, "200 OK", fields(), all})
		if r, got := c.hear("POST"); got != "abc" || r.Close {
			t.Errorf("got %q, close %v", got, r.Close)
		}
	}
}

// A cut body fails in the worker's hands, and the client learns what was wrong
// if it is still there.
func TestCutBodiesLookCut(t *testing.T) {
	for _, c := range []struct {
		name, sent, then string
		status           int // 0: the client leaves
	}{
		{"left", "Content-Length: 100000\r\n\r\nabc", "", 0},
		{"left between chunks", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "", 0},
		{"stopped", "Content-Length: 100000\r\n\r\nabc", "", 408},
		{"broken framing", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "x\r\n", 400},
		{"too large", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "20001\r\n" + strings.Repeat("b", 0x20001), 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t, func(config *Config) {
				config.RequestBuffering, config.BodyLimit, config.Patience = "off", 0x20000, 400*time.Millisecond
			})
			s := g.hire(0, nil)
			client := g.dial()
			client.say(post + c.sent)
			id, _, _, fd, _ := s.take()
			body := arriving(fd)
			wish(t, body)
			got := make([]byte, 3)
			_, err := io.ReadFull(body, got)
			check(t, err)
			client.say(c.then)
			if c.status == 0 {
				check(t, client.Conn.(*net.TCPConn).CloseWrite())
			}
			if _, err := io.Copy(io.Discard, body); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("the worker reads on to %v, want a reset", err)
			}
			_ = body.Close()
			if c.status == 0 {
				client.closed()
			} else if r, _ := client.hear("POST"); r.StatusCode != c.status || !r.Close {
				t.Errorf("the client got %v, want %d", r, c.status)
			}
			s.send(dispatch.Tuple{id, "500 Oops", fields(), []byte("nobody reads this")})
			after := g.dial()
			after.say(get)
			id, _, _, _, _ = s.take()
			s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("fine")})
			if _, got := after.hear("GET"); got != "fine" {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

// The death of a worker in the middle of a body is a 502, whatever the client
// is doing.
func TestAWorkerDiesOverABody(t *testing.T) {
	g := newRig(t, streaming)
	for slot, wished := range []bool{false, true} {
		s := g.hire(slot, nil)
		c := g.dial()
		c.say(post + "Content-Length: 1000000\r\n\r\nabc")
		id, _, _, fd, _ := s.take()
		if wished {
			_, err := unix.Write(fd, []byte("."))
			check(t, err)
		}
		closeFD(fd)
		s.dies("crashed", id)
		if r, _ := c.hear("POST"); r.StatusCode != 502 || !r.Close {
			t.Errorf("wished %v: got %v", wished, r)
		}
	}
}

// A client that uploads forever to an application that answered is not read
// forever.
func TestUnreadBodiesAreNotReadForever(t *testing.T) {
	g := newRig(t, streaming)
	g.hire(0, func(s *seat, id int64, _ map[string]any, _ []byte, fd int) {
		s.send(dispatch.Tuple{id, "200 OK", fields(), []byte("enough")})
		closeFD(fd)
	})
	c := g.dial()
	c.say(post + "Content-Length: 1000000000\r\n\r\n")
	stopped := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			_, err = c.Write(make([]byte, 1<<16))
		}
		stopped <- err
	}()
	if r, body := c.hear("POST"); body != "enough" || !r.Close {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	select {
	case <-stopped:
	case <-time.After(8 * time.Second):
		t.Error("the gateway still reads")
	}
}

func TestWhenBodiesAreStreamed(t *testing.T) {
	for _, c := range []struct {
		when       string
		asgi, want bool
	}{
		{"auto", false, false}, {"auto", true, true}, {"on", true, false}, {"off", false, true}, {"", false, false},
	} {
		if got := (Config{RequestBuffering: c.when}).streams(c.asgi); got != c.want {
			t.Errorf("%q, ASGI %v: streams %v", c.when, c.asgi, got)
		}
	}
}
