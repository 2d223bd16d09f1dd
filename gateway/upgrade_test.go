package gateway

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/indrik/indrik/dispatch"
)

const upgradeRequest = "GET /raw HTTP/1.1\r\nHost: x\r\nUpgrade: telegraph\r\nConnection: upgrade\r\n\r\n"

// newOffer starts a gateway in front of a WSGI application with two seats, which
// is offered connections.
func newOffer(t *testing.T, app func(s *seat, id int64, f *os.File)) *rig {
	t.Helper()
	g := startRig(t, nil)
	g.shareAs(1, "wsgi", 2)
	g.serve()
	g.hire(0, func(s *seat, id int64, env map[string]any, body []byte, fd int) {
		if fd < 0 {
			text("ordinary "+string(body))(s, id, env, body, fd)
			return
		}
		check(t, unix.SetNonblock(fd, true))
		f := os.NewFile(uintptr(fd), "client")
		defer f.Close()
		app(s, id, f)
	})
	return g
}

// The application writes and reads what it likes until it closes its end.
func TestTakeover(t *testing.T) {
	g := newOffer(t, func(s *seat, id int64, f *os.File) {
		_, _ = io.WriteString(f, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		_, _ = io.Copy(f, f) // until the client has said all
		s.send(dispatch.Tuple{id, nil, true, ""})
	})
	c := g.dial()
	c.say(upgradeRequest)
	if line, err := c.in.ReadString('\n'); err != nil || line != "HTTP/1.1 101 Switching Protocols\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	_, _ = c.in.ReadString('\n')
	big := strings.Repeat("telegraph ", 200_000)
	go func() {
		_, _ = io.WriteString(c, big)
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(c.in)
	if err != nil || string(got) != big {
		t.Errorf("got %d bytes back, %v; want %d", len(got), err, len(big))
	}
}

func TestOfferedConnections(t *testing.T) {
	for _, c := range []struct {
		name string
		app  func(s *seat, id int64, f *os.File)
		want string // of the response; then the next request is answered, if alive
		live bool
	}{
		{"answered as ever", func(s *seat, id int64, f *os.File) { text("no, thanks")(s, id, nil, nil, -1) }, "200 no, thanks", true},
		{"closed, then answered", func(s *seat, id int64, f *os.File) {
			_ = f.Close()
			text("no, thanks")(s, id, nil, nil, -1)
		}, "200 no, thanks", true},
		{"written, then answered", func(s *seat, id int64, f *os.File) {
			_, _ = io.WriteString(f, "HTTP/1.1 200 Mine\r\nContent-Length: 4\r\n\r\nmine")
			text("dropped")(s, id, nil, nil, -1)
		}, "200 mine", false},
		{"neither", func(s *seat, id int64, f *os.File) { s.send(dispatch.Tuple{id, nil, true, ""}) }, "500 ", false},
		{"died", func(s *seat, id int64, f *os.File) { _ = f.Close(); s.dies("crashed", id) }, "502 ", false},
		{"written, then died", func(s *seat, id int64, f *os.File) {
			_, _ = io.WriteString(f, "HTTP/1.1 200 Mine\r\nContent-Length: 4\r\n\r\nmine")
			_ = f.Close()
			s.dies("crashed", id)
		}, "200 mine", false},
	} {
		g := newOffer(t, c.app)
		client := g.dial()
		client.say(upgradeRequest)
		r, body := client.hear("GET")
		if got := fmt.Sprintf("%d %s", r.StatusCode, body); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if c.live {
			client.say(get)
			if _, body := client.hear("GET"); body != "ordinary " {
				t.Errorf("%s: the next request got %q", c.name, body)
			}
		}
		if c.name == "neither" {
			g.log.reset() // an error that is the application's
		}
	}
}

// Where one client would have the whole worker, where there is a body, and for
// what is not spoken, the wish to upgrade is ignored.
func TestUpgradesThatAreIgnored(t *testing.T) {
	one := newRig(t, nil)
	one.hire(0, text("ordinary "))
	many := newOffer(t, func(s *seat, id int64, _ *os.File) { t.Error("the connection was offered") })
	for _, c := range []struct {
		g    *rig
		head string
		want string
	}{
		{one, upgradeRequest, "ordinary "},
		{many, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n", "ordinary "},
		{many, strings.Replace(upgradeRequest, "\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi", 1), "ordinary hi"},
		{many, strings.Replace(upgradeRequest, "1.1", "1.0", 1), "ordinary "},
	} {
		client := c.g.dial()
		client.say(c.head)
		if _, body := client.hear("GET"); body != c.want {
			t.Errorf("%.40q got %q, want %q", c.head, body, c.want)
		}
	}
}

// An application reads the end when its client leaves, and when the gateway
// drains.
func TestTakeoverEnds(t *testing.T) {
	for _, how := range []string{"client", "drain"} {
		ended := make(chan error, 1)
		g := newOffer(t, func(s *seat, id int64, f *os.File) {
			_, _ = io.WriteString(f, "hello\n")
			_, err := io.ReadAll(f)
			_, _ = io.WriteString(f, "bye\n") // the client may have left
			ended <- err
			s.send(dispatch.Tuple{id, nil, true, ""})
		})
		c := g.dial()
		c.say(upgradeRequest)
		_, _ = c.in.ReadString('\n')
		if how == "client" {
			_ = c.Close()
		} else {
			check(t, g.master.Send(DrainOrder(0)))
			if line, err := c.in.ReadString('\n'); err != nil || line != "bye\n" {
				t.Errorf("after a drain: %q, %v", line, err)
			}
		}
		if err := <-ended; err != nil {
			t.Errorf("%s: the application read %v", how, err)
		}
	}
}
