package lab

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A restart refuses nobody and cuts nobody off: clients that come meanwhile wait in
// the listener, which systemd holds. That is so for the socket of a unit, and for one
// that the service bound itself, out of the descriptor store.
func TestRestartRefusesNobody(t *testing.T) {
	t.Run("socket unit", func(t *testing.T) {
		t.Parallel()
		const address = "127.0.0.1:8122"
		s := install(t, "restart", config{app: "slow_begin:app", options: "--workers 2", socket: "[Socket]\nListenStream=" + address + "\n"})
		s.systemctl("start", s.socket())
		s.restarts(address)
	})
	t.Run("own listener", func(t *testing.T) {
		t.Parallel()
		const address = "127.0.0.1:8123"
		s := install(t, "restart-own", config{app: "slow_begin:app", options: "--workers 2 --bind " + address})
		s.withoutSocket()
		s.systemctl("start", s.unit())
		s.restarts(address)
		if before := s.property("NFileDescriptorStore"); before != "1" {
			t.Errorf("systemd holds %s descriptors, want 1", before)
		}
		s.systemctl("stop", s.unit())
		s.refuses(address)
		s.systemctl("start", s.unit())
		s.getFrom("tcp", address, "/", "hello")
		s.otherAddress(address, "127.0.0.1:8124")
	})
	t.Run("programs", func(t *testing.T) {
		t.Parallel()
		const address = "127.0.0.1:8126"
		s := install(t, "restart-program", config{whole: `exec = ["/usr/bin/python3", "program.py"]
workers = 2
exec_watchdog = 10
exec_nonblocking = true
bind = ["` + address + `"]
`})
		s.greets("hello")
		s.withoutSocket()
		s.systemctl("start", s.unit())
		s.restarts(address)
		if stored := s.property("NFileDescriptorStore"); stored != "1" {
			t.Errorf("systemd holds %s descriptors, want 1", stored)
		}
		s.systemctl("stop", s.unit())
		s.refuses(address)
	})
}

// greets makes the program answer with this word and nothing else.
func (s *service) greets(word string) {
	s.t.Helper()
	text, err := os.ReadFile("testdata/app/program.py")
	s.must(err)
	whole := strings.NewReplacer(`WORD = "the first"`, `WORD = "`+word+`"`, `text.encode() + b"\n"`, `text.encode()`).Replace(string(text))
	s.must(s.lab.WriteFile("/srv/"+s.name+"/program.py", []byte(whole), 0o644))
}

// otherAddress changes --bind: what was stored for the address before is not kept.
func (s *service) otherAddress(before, after string) {
	s.t.Helper()
	name := "/etc/indrik/" + s.name + ".env"
	text, err := os.ReadFile(s.lab.path(name))
	s.must(err)
	s.must(s.lab.WriteFile(name, []byte(strings.Replace(string(text), before, after, 1)), 0o644))
	s.systemctl("restart", s.unit())
	s.getFrom("tcp", after, "/", "hello")
	s.refuses(before)
	if got := s.property("NFileDescriptorStore"); got != "1" {
		s.t.Errorf("systemd holds %s descriptors after a change of the address, want 1", got)
	}
}

// withoutSocket makes the service one that no socket unit belongs to.
func (s *service) withoutSocket() {
	s.t.Helper()
	text, err := os.ReadFile(s.lab.path("/etc/systemd/system/indrik@.service"))
	s.must(err)
	whole := string(text)
	for _, line := range []string{"Requires=indrik@%i.socket\n", "After=indrik@%i.socket\n"} {
		if !strings.Contains(whole, line) {
			s.t.Fatalf("the unit has no %q", line)
		}
		whole = strings.Replace(whole, line, "", 1)
	}
	s.must(s.lab.WriteFile("/etc/systemd/system/"+s.unit(), []byte(whole), 0o644))
	s.t.Cleanup(func() {
		if err := s.lab.Remove("/etc/systemd/system/" + s.unit()); err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	})
	s.systemctl("daemon-reload")
}

// restarts restarts the service three times under load, each time with a request in
// hand.
func (s *service) restarts(address string) {
	s.t.Helper()
	s.getFrom("tcp", address, "/", "hello")
	l := newLoad(s.t, s.lab, address)
	l.clients(4, single())
	for n := range 3 {
		l.flows()
		before, after := s.mainPID(), 0
		slow := make(chan error, 1)
		go func() {
			_, err := s.lab.fetch(s.limit(), "tcp", address, "/slow")
			slow <- err
		}()
		s.begun(n + 1)
		s.systemctl("restart", s.unit())
		if err := <-slow; err != nil {
			s.t.Errorf("the request in hand: %v", err)
		}
		if after = s.mainPID(); after == before {
			s.t.Errorf("the master is still pid %d", before)
		}
	}
	l.flows()
	l.end()
}

// begun waits until so many slow requests were begun. It reads the journal from the
// beginning each time: a follower was seen to miss lines of a busy machine.
func (s *service) begun(n int) {
	s.t.Helper()
	for limit := time.Now().Add(stepLimit); ; {
		entries, err := s.lab.Journal(s.limit(), s.unit(), s.from)
		s.must(err)
		seen := 0
		for _, e := range entries {
			if strings.Contains(e.Message, "slow request begun") {
				seen++
			}
		}
		if seen >= n {
			return
		}
		if time.Now().After(limit) {
			s.t.Fatalf("%d slow requests were begun, want %d", seen, n)
		}
	}
}

// refuses wants nobody to listen on an address.
func (s *service) refuses(address string) {
	s.t.Helper()
	var conn net.Conn
	conn, err := s.lab.Dial(s.limit(), "tcp", address)
	if err == nil {
		_ = conn.Close() // it should not be there
		s.t.Errorf("somebody listens on %s", address)
		return
	}
	if said := outcome(err); said != "refused" {
		s.t.Errorf("connecting to %s: %s", address, said)
	}
}
