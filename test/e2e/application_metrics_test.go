package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the application counts with prometheus_client, over all of its workers and those that
// died, stands beside what Indrik counts, and nothing that is wrong with it harms that.
func TestTheApplicationsOwnMetrics(t *testing.T) {
	if _, err := output(world.root, world.python, "-c", "import prometheus_client"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("prometheus_client is not installed")
	}
	dir, apps := t.TempDir(), t.TempDir()
	s := serveControlled(t, launch{
		app: "counting", dir: filepath.Join(world.root, "test/e2e/testdata/gallery"), env: []string{"GALLERY_TRACE=" + filepath.Join(apps, "trace")},
		args: []string{"-w", "3", "--env", "PROMETHEUS_MULTIPROC_DIR=" + dir, "--admin-bind", "127.0.0.1:0"},
	})
	s.allow("worker ended", "the application's metrics are not told")
	if f := s.scrape(t); f["application_metrics"] != 1 {
		t.Errorf("before the first request: %v", f["application_metrics"])
	}
	const requests = 12
	for range requests {
		s.wants("/", 200, "counted")
	}
	s.until("all that was counted is told", func() bool { return s.scrape(t)["served_total"] == requests })
	f := s.scrape(t)
	if f["indrik_of_the_application_total"] != 0 || f["of_the_application_total"] != 0 || f["requests_total{protocol=\"http/1.1\",status=\"2xx\"}"] != requests {
		t.Errorf("beside ours there are %v", f)
	}
	alive := func() (pids []string) {
		for name := range s.scrape(t) {
			if pid, found := strings.CutPrefix(name, `alive{pid="`); found {
				pids = append(pids, strings.TrimSuffix(pid, `"}`))
			}
		}
		return pids
	}
	before := alive()
	if len(before) == 0 {
		t.Fatal("no worker has told that it lives")
	}
	var victim int
	if _, err := fmt.Sscan(before[0], &victim); err != nil {
		t.Fatal(err)
	}
	s.kill(victim, syscall.SIGKILL)
	s.until("a dead worker's gauge is gone and what it counted stays", func() bool {
		f := s.scrape(t)
		_, there := f[fmt.Sprintf("alive{pid=%q}", before[0])]
		return !there && f["served_total"] == requests
	})
	file := filepath.Join(dir, "counter_1.db") // of nobody
	if err := os.WriteFile(file, []byte("\xff\xff\xff\x7f\x00\x00\x00\x00broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.until("what cannot be read is said", func() bool { return s.scrape(t)["application_metrics"] == 0 })
	if f := s.scrape(t); f["requests_total{protocol=\"http/1.1\",status=\"2xx\"}"] < requests {
		t.Errorf("ours are not there: %v", f)
	}
	time.Sleep(1100 * time.Millisecond) // for a second the same is told
	s.scrape(t)
	if n := s.stderr.count("the application's metrics are not told"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.until("it is told again", func() bool { return s.scrape(t)["served_total"] == requests })
	status, text := s.admin(t, "/metrics")
	if status != http.StatusOK || !strings.Contains(text, "served_total 12") || !strings.Contains(text, "indrik_ready 1") {
		t.Errorf("%d\n%s", status, text)
	}
	s.stop()
}
