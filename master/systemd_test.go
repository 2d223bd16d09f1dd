package master

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemd is a fake of its notification socket.
type systemd struct {
	path     string
	messages chan string
}

func fakeSystemd(t *testing.T) *systemd {
	t.Helper()
	dir, err := os.MkdirTemp("", "nfy") // short: the path must fit sockaddr_un
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &systemd{path: filepath.Join(dir, "n"), messages: make(chan string, 4096)}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 8192)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				close(d.messages)
				return
			}
			d.messages <- string(buf[:n])
		}
	}()
	return d
}

// await returns the messages up to the first that contains part.
func (d *systemd) await(t *testing.T, part string) (all []string) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m := <-d.messages:
			all = append(all, m)
			if strings.Contains(m, part) {
				return all
			}
		case <-limit:
			t.Fatalf("systemd was not told %q; it was told %q", part, all)
		}
	}
}
