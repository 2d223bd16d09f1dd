package lab

import (
	"path/filepath"
	"strings"
	"testing"
)

// What happened is found by its fields, and explained where that is asked for.
func TestEventsAreExplained(t *testing.T) {
	s := install(t, "told", config{})
	project, err := Project()
	s.must(err)
	s.must(s.lab.CopyFile(filepath.Join(project, "packaging/indrik.catalog"), "/usr/lib/systemd/catalog/indrik.catalog", 0o644))
	journalctl := func(args ...string) string {
		t.Helper()
		out, err := s.lab.Run(s.limit(), append([]string{"journalctl", "--unit=" + s.unit()}, args...)...)
		s.must(err)
		return out
	}
	journalctl("--update-catalog")
	s.systemctl("start", s.socket())
	s.get("/", "hello from flask\n")
	s.systemctl("stop", s.unit(), s.socket())
	journalctl("--sync")
	entry := journalctl("--output=export", "GENERATION=1", "INDRIK_LOGGER=indrik.master")
	for _, want := range []string{"MESSAGE_ID=", "GENERATION=1\n", "MESSAGE=[INFO]  indrik.master: serving: ", "PRIORITY=6\n", "_TRANSPORT=journal\n"} {
		if !strings.Contains(entry, want) {
			t.Errorf("%q is not in the entry:\n%s", want, entry)
		}
	}
	told := journalctl("--catalog", "--output=short")
	for _, want := range []string{"Subject: Service is ready, generation 1", "Subject: Worker process ", "Subject: Service is stopping", "It was asked to stop (SIGTERM)"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not explained:\n%s", want, told)
		}
	}
	if n := strings.Count(told, "indrik.master: serving: "); n != 1 {
		t.Errorf("the event was told %d times:\n%s", n, told)
	}
}
