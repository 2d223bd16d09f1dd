package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// streamOf is what systemd would put into JOURNAL_STREAM for f.
func streamOf(t *testing.T, f *os.File) string {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

func TestLogLevels(t *testing.T) {
	for name, want := range map[string]hclog.Level{
		"debug": hclog.Debug, "info": hclog.Info, "warning": hclog.Warn, "error": hclog.Error, "critical": hclog.Error,
	} {
		if got := newLog(newOutput(&bytes.Buffer{}, false, 1), name).GetLevel(); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// The journal has its own clock, and filters by a priority it must be told of
// in each line.
func TestLogForTheJournal(t *testing.T) {
	var out bytes.Buffer
	log := newLog(newOutput(&out, true, 1), "debug").Named("pool")
	log.Debug("slot moved")
	log.Info("generation ready")
	log.Warn("worker ended", "pid", 4121)
	log.Error("boot failed", "text", "one\ntwo")
	want := `<7>[DEBUG] indrik.pool: slot moved
<6>[INFO]  indrik.pool: generation ready
<4>[WARN]  indrik.pool: worker ended: pid=4121
<3>[ERROR] indrik.pool: boot failed:
<3>  text=
<3>  | one
<3>  | two
<3>  
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestLogElsewhereHasTime(t *testing.T) {
	var out bytes.Buffer
	newLog(newOutput(&out, false, 1), "info").Info("generation ready")
	if want := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ \[INFO\]  indrik: generation ready\n$`); !want.MatchString(out.String()) {
		t.Errorf("got %q", out.String())
	}
}

// A child inherits the variable also when its output goes elsewhere.
func TestJournalIsRecognisedByItsStream(t *testing.T) {
	ours, other := tempFile(t), tempFile(t)
	for text, want := range map[string]bool{
		"": false, "garbage": false, "0:0": false, streamOf(t, other): false, streamOf(t, ours): true,
	} {
		if got := underJournal(ours, func(string) string { return text }); got != want {
			t.Errorf("JOURNAL_STREAM=%q: got %v, want %v", text, got, want)
		}
	}
}
