package desk

import (
	"bytes"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// manager hears what is said to systemd.
type manager struct {
	t    *testing.T
	sock *net.UnixConn
	env  map[string]string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	return &manager{t: t, sock: sock, env: map[string]string{"NOTIFY_SOCKET": path}}
}

func (m *manager) lookup(name string) string { return m.env[name] }

// heard returns the assignments of everything that was said until now.
func (m *manager) heard() (all []string) {
	m.t.Helper()
	buffer := make([]byte, 4096)
	for {
		_ = m.sock.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) // what was sent is there already
		n, err := m.sock.Read(buffer)
		if err != nil {
			return all
		}
		all = append(all, strings.Split(strings.TrimSpace(string(buffer[:n])), "\n")...)
	}
}

func TestVoice(t *testing.T) {
	systemd := newManager(t)
	v := NewVoice(hclog.NewNullLogger())
	if err := v.Find(systemd.lookup, 1); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if v.Watchdog() != 0 || v.Period(time.Second) != time.Second {
		t.Errorf("watched every %v, period %v; nobody watches", v.Watchdog(), v.Period(time.Second))
	}
	v.Ready("serving")
	if v.Say("serving") || !v.Say("serving well") {
		t.Error("a status line must be said when it changes, and not else")
	}
	v.Failed(errors.New("no such thing"), unix.ENOEXEC)
	now := time.Now()
	v.Ping(now, time.Second, func() string { t.Error("nobody watches, and health was asked for"); return "" })
	v.Extend(now)
	v.Extend(now.Add(extendEvery / 2))
	v.Extend(now.Add(extendEvery))
	want := []string{"READY=1", "STATUS=serving", "STATUS=serving well", "STATUS=failed: no such thing", "ERRNO=8", "EXTEND_TIMEOUT_USEC=10000000", "EXTEND_TIMEOUT_USEC=10000000"}
	if got := systemd.heard(); !slices.Equal(got, want) {
		t.Errorf("systemd heard %q, want %q", got, want)
	}
}

// Pings come three times in the interval, and not while something is wrong.
func TestPings(t *testing.T) {
	systemd := newManager(t)
	systemd.env["WATCHDOG_USEC"] = "30000000"
	var log bytes.Buffer
	v := NewVoice(hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err := v.Find(systemd.lookup, 1); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const period = 200 * time.Millisecond
	start := time.Now()
	why := ""
	beat := func(from, to time.Duration) (pings int) {
		for at := from; at < to; at += period {
			v.Ping(start.Add(at), period, func() string { return why })
		}
		return strings.Count(strings.Join(systemd.heard(), "\n"), "WATCHDOG=1")
	}
	if n := beat(0, time.Minute); n != 6 {
		t.Errorf("%d pings in a minute, want 6", n)
	}
	why = "nobody is answered"
	if n := beat(time.Minute, 2*time.Minute); n != 0 || v.Withheld() != why {
		t.Errorf("%d pings while nobody is answered; withheld is %q", n, v.Withheld())
	}
	why = ""
	if n := beat(2*time.Minute, 2*time.Minute+period); n != 1 || v.Withheld() != "" {
		t.Errorf("%d pings when all is well again; withheld is %q", n, v.Withheld())
	}
	for _, line := range []string{"watchdog pings withheld", "watchdog pings resumed"} {
		if strings.Count(log.String(), line) != 1 {
			t.Errorf("the log has not one %q:\n%s", line, &log)
		}
	}
}

// What nobody hears is said once to the log, and changes nothing.
func TestVoiceNobodyHears(t *testing.T) {
	systemd := newManager(t)
	var log bytes.Buffer
	v := NewVoice(hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err := v.Find(systemd.lookup, 1); err != nil {
		t.Fatal(err)
	}
	_ = systemd.sock.Close() // closed again by the cleanup
	v.Ready("serving")
	v.Say("still serving")
	if strings.Count(log.String(), "systemd could not be told") != 1 {
		t.Errorf("the log has not one line of it:\n%s", &log)
	}
	v.Close()

	alone := NewVoice(hclog.NewNullLogger())
	if err := alone.Find(func(string) string { return "" }, 1); err != nil {
		t.Fatal(err)
	}
	alone.Ready("serving")
	alone.Stopping("draining")
	alone.Close()
}
