package e2e

import (
	"syscall"
	"testing"
)

// A request that was sent to a worker with a lane of its own when that was dead already, which nobody knew yet, is
// answered by the next one: nothing of it was done.
func TestARequestOutlivesItsDeadWorker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		app  string
		args []string
	}{{"aplain", nil}, {"plain", []string{"-k", "gevent"}}} {
		s := serve(t, newSite(t, c.app).launch(append([]string{"-w", "1"}, c.args...)...))
		s.allow("worker ended")
		s.kill(s.the("worker"), syscall.SIGKILL)
		if status, body := s.get("/version"); status != 200 || body != "1" {
			t.Errorf("%s %q: got %d %q, want 200 and the version", c.app, c.args, status, body)
		}
		s.stop()
	}
}
