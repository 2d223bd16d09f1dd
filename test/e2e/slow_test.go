package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// slowAttacks are slowhttptest's modes. The length of a body decides about its way
// through the gateway; a response for slow reading must be more than the sockets
// on its way hold.
var slowAttacks = []struct {
	name      string
	options   []string
	app, path string // that is attacked
	tight     int    // clients, where limits are tight
}{
	{"heads", []string{"-H", "-i", "1"}, "web:bare", "/", 500},
	{"short bodies", []string{"-B", "-i", "1", "-s", "4096"}, "web:bare", "/", 500},
	{"long bodies", []string{"-B", "-i", "1", "-s", "1000000"}, "web:bare", "/", 500},
	{"reading", []string{"-X", "-n", "1", "-z", "16", "-w", "64", "-y", "512"}, "web:bare", "/big", 0},
	{"reading a stream", []string{"-X", "-n", "1", "-z", "16", "-w", "64", "-y", "512"}, "streams", "/large/8", 20},
}

// An attacker has opened 500 connections and dawdles on each. Everybody else is
// answered at once by the one worker there is.
func TestOthersDoNotNoticeSlowClients(t *testing.T) {
	t.Parallel()
	needSlowhttptest(t)
	const slow = 500
	for _, a := range slowAttacks {
		if a.app != "web:bare" {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			// No limit ends the attack while it is being watched.
			s := serve(t, launch{app: a.app, args: []string{"-w", "1", "--client-timeout", "600", "--min-body-rate", "0"}})
			end := attack(t, slow, s.at(a.path), a.options).end
			s.until("all slow clients are connected", func() bool { return established(t, s.port()) >= slow })
			s.wants("/nothing", 204, "") // after what the slow ones asked for, if they did
			c := s.client()
			for range 200 {
				c.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 200, digest("GET", 0, ""))
				c.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "POST", 200, digest("POST", 3, "abc"))
			}
			if n := established(t, s.port()); n < slow {
				t.Errorf("%d connections are left, too few for an attack", n)
			}
			end()
			s.stop()
		})
	}
}

// Clients that are slower than the limits allow lose their connections.
func TestSlowClientsAreClosed(t *testing.T) {
	t.Parallel()
	needSlowhttptest(t)
	for _, a := range slowAttacks {
		if a.tight == 0 {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			s := serve(t, launch{app: a.app, args: []string{"-w", "1", "--client-timeout", "2", "--min-body-rate", "5000", "--log-level", "debug"}})
			s.allow("request refused: ", "lines about refused requests were left out")
			slow := attack(t, a.tight, s.at(a.path), a.options)
			s.until("all slow clients have come and were closed", func() bool {
				select {
				case <-slow.ended: // by itself, where it notices that its clients are closed
					return true
				default:
					return s.stderr.count("client was too slow") >= a.tight
				}
			})
			s.until("no connection is left", func() bool { return established(t, s.port()) == 0 })
			s.stop()
			refused, cut := s.stderr.count("request refused: "), s.stderr.count("client was too slow")
			if a.app == "streams" && cut < a.tight || a.app != "streams" && refused == 0 {
				t.Errorf("%d requests were refused, and %d clients cut off for reading too slowly", refused, cut)
			}
		})
	}
}

func needSlowhttptest(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("slowhttptest"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; run test/install", err)
		}
		t.Skipf("%v; run test/install", err)
	}
}

// at is the address of a path for programs that resolve names for themselves.
func (s *service) at(path string) string { return "http://127.0.0.1:" + s.port() + path }

// assault is slowhttptest at work.
type assault struct {
	ended chan struct{} // closed at its end
	end   func()        // ends it
}

// attack has slowhttptest open connections to a URL.
func attack(t *testing.T, clients int, url string, options []string) assault {
	t.Helper()
	count := fmt.Sprint(clients)
	cmd := exec.Command("slowhttptest", append(options, "-c", count, "-r", count, "-l", "120", "-p", "10", "-u", url)...)
	cmd.Env = append(os.Environ(), markEnv+"="+markPrefix(os.Getpid())+"attack.") // for the sweeper
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed by us, or it has said what it saw
		close(ended)
	}()
	end := func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	}
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Logf("slowhttptest %s ended with:\n%s", strings.Join(options, " "), said.Bytes()[max(said.Len()-500, 0):])
		}
	})
	return assault{ended, end}
}

// established counts the connections to a port, as its server sees them: the
// local address is the port, the state 01 (proc(5), /proc/net/tcp).
func established(t *testing.T, port string) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	suffix := fmt.Sprintf(":%04X", number)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == "01" {
			n++
		}
	}
	return n
}
