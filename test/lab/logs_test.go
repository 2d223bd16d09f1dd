package lab

import (
	"strings"
	"testing"
	"time"
)

// Whoever looks for a failure finds it in the journal by its fields.
func TestTheAccessLogInTheJournal(t *testing.T) {
	s := install(t, "logged", config{options: "--access-logfile journal"})
	s.systemctl("start", s.socket())
	s.get("/", "hello from flask\n")
	if _, err := s.lab.fetch(s.limit(), "unix", s.path(), "/none?x=1"); err == nil {
		t.Error("a page that is not there was served")
	}
	entry := ""
	for limit := time.Now().Add(stepLimit); !strings.Contains(entry, "HTTP_STATUS=404\n"); time.Sleep(50 * time.Millisecond) { // the field is not among those that Await knows
		if time.Now().After(limit) {
			t.Fatal("the journal has no entry with HTTP_STATUS=404")
		}
		_, err := s.lab.Run(s.limit(), "journalctl", "--sync")
		s.must(err)
		entry, err = s.lab.Run(s.limit(), "journalctl", "--unit="+s.unit(), "--output=export", "HTTP_STATUS=404")
		s.must(err)
	}
	for _, want := range []string{
		"HTTP_METHOD=GET\n", "HTTP_PATH=/none\n", "HTTP_TARGET=/none?x=1\n", "INDRIK_LOG=access\n", "PRIORITY=6\n", "SYSLOG_IDENTIFIER=indrik\n",
		`"GET /none?x=1 HTTP/1.1" 404 `,
	} {
		if !strings.Contains(entry, want) {
			t.Errorf("%q is not in the entry:\n%s", want, entry)
		}
	}
	if n := strings.Count(entry, "\nMESSAGE="); n != 1 {
		t.Errorf("%d entries have that status, want 1:\n%s", n, entry)
	}
}
