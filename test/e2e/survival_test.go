package e2e

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A machine that was suspended, or a master that was: the time that passed meanwhile is
// nobody's fault, though every sign of life is older than any limit.
func TestLostTimeKillsNobody(t *testing.T) {
	t.Parallel()
	for _, c := range classes(4) {
		if c.module != "" {
			continue // they are watched as asgi is
		}
		for what, all := range map[string]bool{"master": false, "everything": true} {
			if !all && c.name != "sync" {
				continue // the clocks are the same
			}
			t.Run(c.name+" "+what, func(t *testing.T) {
				t.Parallel()
				s := serve(t, launch{app: c.app, args: c.with("-w", "2", "--timeout", "2", "--log-level", "debug")})
				s.allow("was stopped")
				s.ready(2)
				before := s.children("worker")
				victims := []int{s.pid}
				if all {
					victims = marked(s.mark)
				}
				l := s.load(2, "/")
				l.flows()
				for _, pid := range victims {
					s.kill(pid, syscall.SIGSTOP)
				}
				time.Sleep(4 * time.Second) // the time that is lost is what this is about
				for _, pid := range slices.Backward(victims) {
					s.kill(pid, syscall.SIGCONT)
				}
				s.stderr.await(t, 1, "master was stopped")
				l.flows()
				l.end().atMost(t, nil)
				if now := s.children("worker"); !slices.Equal(now, before) {
					t.Errorf("workers %v afterwards, %v before", now, before)
				}
				s.stop()
			})
		}
	}
}

// What a deployment leaves half done harms nobody who serves: a worker that dies then has
// no successor until the file is mended, and the service says so.
func TestABrokenFileHarmsNoneThatServes(t *testing.T) {
	t.Parallel()
	w := newSite(t, "plain")
	s := serveControlled(t, w.launch("-w", "2", "--log-level", "debug"))
	s.allow("worker ended", "worker failed to boot", "Traceback", lost)
	s.ready(2)
	l := s.load(2, "/")
	w.put("version.py", "half done\n")
	s.kill(s.children("worker")[0], syscall.SIGKILL)
	s.stderr.await(t, 3, "worker failed to boot", "SyntaxError")
	s.stderr.await(t, 1, "worker ended", `cause="load failed"`, "status=4", "pause=")
	if words := s.status().Text; !strings.Contains(words, "1 of 2 workers") {
		t.Errorf("the status is %q", words)
	}
	s.wants("/version", http.StatusOK, "1")
	w.version("2")
	s.until("2 workers again", func() bool { return s.status().Text == "serving: 2 workers, generation 1" })
	l.flows()
	l.end().atMost(t, map[string]int{"status 502": 1})
	s.stop()
}

// A worker with threads is killed for one request: that one was late, the others only in
// the same process.
func TestTheNeighboursOfALateRequestAreNotLate(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "misbehaving", args: []string{"-k", "gthread", "--threads", "4", "--request-timeout", "2",
		"--request-timeout-grace", "1", "--log-level", "debug"}})
	s.allow("worker ended", "exceeded request_timeout", "Fatal Python error", lost)
	s.ready(1)
	first := s.the("worker")
	late := make(chan int)
	go func() {
		response, err := s.web.Get(s.url("/stubborn/60"))
		if err != nil {
			late <- 0
			return
		}
		_ = response.Body.Close() // the status is all that counts
		late <- response.StatusCode
	}()
	s.stderr.await(t, 1, "GET '/stubborn/60' exceeded request_timeout")
	if status, body := s.get("/spin/60"); dead(first) && status != http.StatusBadGateway {
		t.Errorf("the neighbour got %d %q, want 502", status, body)
	}
	if status := <-late; status != http.StatusGatewayTimeout {
		t.Errorf("the late one got %d, want 504", status)
	}
	s.stderr.await(t, 1, "worker ended", "cause=timeout", "requests=2")
	s.stderr.await(t, 1, "request failed", "status=504", `what="GET \"/stubborn/60\""`)
	s.stderr.await(t, 1, "request failed", "status=502", `what="GET \"/spin/60\""`)
	s.stop()
}
