package logsink

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSyslogAddresses(t *testing.T) {
	for text, want := range map[string]Syslog{
		"udp://localhost:514":   {"udp", "localhost:514"},
		"udp://log.example.org": {"udp", "log.example.org:514"},
		"udp://[::1]":           {"udp", "[::1]:514"},
		"tcp://[::1]:601":       {"tcp", "[::1]:601"},
		"unix:///dev/log":       {"unixgram unix", "/dev/log"},
		"unix://rel#dgram":      {"unixgram", "rel"},
		"unix:///x#stream":      {"unix", "/x"},
	} {
		if got, err := ParseSyslog(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "localhost:514", "udp://", "http://x", "unix://", "unix:///x#tcp", "unix:///x#", "udp://h:0", "udp://h:x", "tcp://h:70000"} {
		if got, err := ParseSyslog(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestFacilities(t *testing.T) {
	for name, want := range map[string]int{"user": 1, "daemon": 3, "local7": 23, "security": 4} {
		if got, known := Facility(name); !known || got != want {
			t.Errorf("%s: got %d, %v", name, got, known)
		}
	}
	if _, known := Facility("nobody"); known {
		t.Error("nobody is no facility")
	}
	if got := SyslogTag(3, Info, "gunicorn.shop.access"); got != "<30>gunicorn.shop.access: " {
		t.Errorf("got %q", got)
	}
}

// datagrams listens at an address and gives what arrives.
func datagrams(t *testing.T, network, address string) (net.PacketConn, func() string) {
	t.Helper()
	ln, err := net.ListenPacket(network, address)
	need(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln, func() string {
		t.Helper()
		buffer := make([]byte, 4096)
		need(t, ln.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, _, err := ln.ReadFrom(buffer)
		need(t, err)
		return string(buffer[:n])
	}
}

func TestSyslogByDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	local, fromLocal := datagrams(t, "unixgram", path)
	udp, fromUDP := datagrams(t, "udp", "127.0.0.1:0")
	for _, c := range []struct {
		address string
		receive func() string
	}{
		{"unix://" + local.LocalAddr().String(), fromLocal},
		{"udp://" + udp.LocalAddr().String(), fromUDP},
	} {
		s, err := ParseSyslog(c.address)
		need(t, err)
		r := NewSyslog(s, "<30>app: ")
		if lost, err := r.Write([]byte("one\ntwo\n")); lost != 0 || err != nil {
			t.Fatalf("%s: %d lost, %v", c.address, lost, err)
		}
		if first, second := c.receive(), c.receive(); first != "<30>app: one" || second != "<30>app: two" {
			t.Errorf("%s: got %q and %q", c.address, first, second)
		}
		need(t, r.Close())
	}
}

func TestSyslogByStreams(t *testing.T) {
	for network, prefix := range map[string]string{"tcp": "tcp://", "unix": "unix://"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "log")
		}
		ln, err := net.Listen(network, address)
		need(t, err)
		s, err := ParseSyslog(prefix + ln.Addr().String()) // a socket that is no datagram one is found out
		need(t, err)
		r := NewSyslog(s, "")
		for range 2 { // the second time by a new connection
			if lost, err := r.Write([]byte("<30>app: one\n<27>app: two\n")); lost != 0 || err != nil {
				t.Fatalf("%s: %d lost, %v", network, lost, err)
			}
			conn, err := ln.Accept()
			need(t, err)
			lines := bufio.NewReader(conn)
			for _, want := range []string{"<30>app: one\n", "<27>app: two\n"} {
				if got, err := lines.ReadString('\n'); got != want || err != nil {
					t.Errorf("%s: got %q, %v", network, got, err)
				}
			}
			need(t, conn.Close())
			need(t, r.Reopen())
		}
		need(t, ln.Close())
	}
}

// A daemon that is started again has a new socket at the same path; what was sent
// meanwhile is lost, and counted.
func TestADaemonThatIsRestarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	first, receive := datagrams(t, "unixgram", path)
	r := NewSyslog(Syslog{"unixgram", path}, "")
	defer r.Close()
	if lost, err := r.Write([]byte("a\n")); lost != 0 || err != nil || receive() != "a" {
		t.Fatalf("%d lost, %v", lost, err)
	}
	need(t, first.Close())
	need(t, errors.Join(os.RemoveAll(path)))
	if lost, err := r.Write([]byte("b\nc\n")); lost != 2 || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("without a daemon: %d lost, %v", lost, err)
	}
	_, receive = datagrams(t, "unixgram", path)
	eventually(t, "the new daemon is used", func() bool { lost, _ := r.Write([]byte("d\n")); return lost == 0 })
	if got := receive(); got != "d" {
		t.Errorf("got %q", got)
	}
}

// One that never answers is tried once in a while and not for each line.
func TestADaemonThatIsNotThereCostsNoTime(t *testing.T) {
	r := NewSyslog(Syslog{"unixgram unix", filepath.Join(t.TempDir(), "none")}, "")
	begun := time.Now()
	if lost, err := r.Write([]byte(strings.Repeat("x\n", 100_000))); lost != 100_000 || err == nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestJournalEntriesAreDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	_, receive := datagrams(t, "unixgram", path)
	r := NewJournal(path)
	defer r.Close()
	entries := "MESSAGE=one\nHTTP_STATUS=200\n\nMESSAGE=two\n\n"
	if lost, err := r.Write([]byte(entries)); lost != 0 || err != nil {
		t.Fatalf("%d lost, %v", lost, err)
	}
	for _, want := range []string{"MESSAGE=one\nHTTP_STATUS=200\n", "MESSAGE=two\n"} {
		if got := receive(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// An entry that no socket can take does not cost the others.
	huge := "MESSAGE=" + strings.Repeat("x", 1<<20) + "\n\nMESSAGE=after\n\n"
	if lost, err := r.Write([]byte(huge)); lost != 1 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("%d lost, %v", lost, err)
	}
	if got := receive(); got != "MESSAGE=after\n" {
		t.Errorf("got %q", got)
	}
}
