package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// The line about a worker's death says what it held, whatever its class: the gateway is
// asked, and not waited for if it cannot answer.
func TestTheLineAboutADeathNamesTheRequests(t *testing.T) {
	t.Parallel()
	t.Run("shared lane", func(t *testing.T) {
		t.Parallel()
		s := serve(t, launch{app: "plain", args: []string{"--threads", "3", "-w", "1"}})
		s.allow("worker ended", "Fatal Python error")
		first, worker := s.held("60")
		second, _ := s.held("61")
		s.kill(worker, syscall.SIGKILL)
		line := s.stderr.await(t, 1, "worker ended", fmt.Sprintf("pid=%d", worker), "cause=signalled", "signal=SIGKILL", "requests=2")
		for _, want := range []string{`0x1000000000`, ` GET \"/hold/held-1/60\" (`, `), 0x`, ` GET \"/hold/held-2/61\" (`} {
			if !strings.Contains(line, want) {
				t.Errorf("the line %q has no %q", line, want)
			}
		}
		first.lost()
		second.lost()

		// The line is written without the gateway too, with what the scoreboard tells.
		first, worker = s.held("62")
		gateway := s.the("gateway")
		s.freeze(gateway)
		s.kill(worker, syscall.SIGKILL)
		line = s.stderr.await(t, 1, "worker ended", fmt.Sprintf("pid=%d", worker), "requests=1", "held=")
		if strings.Contains(line, "/hold/") {
			t.Errorf("a gateway that is stopped has answered: %q", line)
		}
		s.kill(gateway, syscall.SIGCONT)
		first.lost()
		s.stop()
	})
	t.Run("own lane", func(t *testing.T) {
		t.Parallel()
		s := serve(t, launch{app: "aplain", args: []string{"-w", "1"}})
		s.allow("worker ended")
		const held = 6
		var clients []*client
		for n := range held {
			c := s.client()
			c.send(fmt.Sprintf("GET /wait/own-%d?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n", n))
			s.note(fmt.Sprintf("own-%d", n))
			clients = append(clients, c)
		}
		s.kill(s.the("worker"), syscall.SIGKILL)
		line := s.stderr.await(t, 1, "worker ended", "signal=SIGKILL", fmt.Sprintf("requests=%d", held))
		for n := range held {
			if want := fmt.Sprintf(`GET \"/wait/own-%d\" (`, n); strings.Contains(line, want) != (n < 4) {
				t.Errorf("the line %q: want the four oldest, of which %q is %v", line, want, n < 4)
			}
		}
		for _, c := range clients {
			c.lost()
		}
		if strings.Contains(line, "secret") {
			t.Errorf("the line has the query: %q", line)
		}
		s.stop()
	})
}

// lost checks that the answer is that of a request whose worker ended.
func (c *client) lost() {
	c.t.Helper()
	if a := c.receive("GET"); a.status != http.StatusBadGateway {
		c.t.Errorf("got %d %q, want 502", a.status, brief(a.body))
	}
}
