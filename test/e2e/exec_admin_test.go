package e2e

import (
	"fmt"
	"strings"
	"syscall"
)

// tellsProbes asks the admin listener of a service of two programs, the first of its kind.
func (s *controlled) tellsProbes() {
	t := s.t
	t.Helper()
	for _, path := range []string{"/livez", "/readyz"} {
		if status, text := s.admin(t, path); status != 200 || text != "ok\n" {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	for name, want := range map[string]float64{
		`workers{phase="idle"}`: 2, "workers_wanted": 2, "alive": 1, "ready": 1, "generation": 1, `reloads_total{result="done"}`: 0,
	} {
		s.shows(t, name, want)
	}
	for name := range s.scrape(t) {
		if strings.Contains(name, "request") || strings.Contains(name, "connection") {
			t.Errorf("%s is told, which nobody knows", name)
		}
	}
	if status, page := s.admin(t, "/status"); status != 200 || !strings.Contains(page, "<dt>Program</dt>") {
		t.Errorf("/status: %d %s", status, brief(page))
	}
	s.exports(t, s.path, "\nindrik_workers_wanted 2\n")

	victim := s.running(2)[0]
	s.kill(victim, syscall.SIGKILL)
	s.stderr.await(t, 1, "worker ended", fmt.Sprintf("pid=%d", victim), "cause=signalled")
	s.shows(t, `worker_ends_total{cause="signalled"}`, 1)
	s.shows(t, `workers{phase="idle"}`, 2)
}
