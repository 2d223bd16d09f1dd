package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/logsink"
)

// journal is a socket as systemd-journald has it.
func journal(t *testing.T) (path string, receive func() []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return path, func() []string {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		datagram := make([]byte, 1<<16)
		n, err := conn.Read(datagram)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(strings.SplitSeq(strings.TrimSuffix(string(datagram[:n]), "\n"), "\n"))
	}
}

// Who looks for events in the journal finds them by their fields, once; all other
// lines go where they went.
func TestEventsInTheJournal(t *testing.T) {
	path, receive := journal(t)
	var stderr bytes.Buffer
	out := newOutput(&stderr, true, 1)
	out.events = logsink.NewJournal(path)
	log := newLog(out, "info")

	log.Named("pool").With("slot", 3).Warn("worker ended", "pid", 4121, "cause", "never ready", "status", 1)
	got := receive()
	for _, want := range []string{
		"MESSAGE_ID=" + events["worker ended"], "PRIORITY=4", "SLOT=3", "WORKER_PID=4121", "CAUSE=never ready", "REASON=never ready", "EXIT_STATUS=1",
		"INDRIK_LOGGER=indrik.pool", "SYSLOG_IDENTIFIER=indrik", `MESSAGE=[WARN]  indrik.pool: worker ended: slot=3 pid=4121 cause="never ready" status=1`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in the entry:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error has it too: %q", &stderr)
	}
	log.Named("master").Error("reload failed", "gen", 2, "error", errors.New("load app:\nno module"), "limit", "x y")
	got = receive()
	for _, want := range []string{"MESSAGE_ID=" + events["reload failed"], "GENERATION=2", "REASON=load app: no module", "PRIORITY=3"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in the entry:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if want := "<3>  | load app:\n<3>  | no module\n"; !strings.Contains(stderr.String(), want) {
		t.Errorf("standard error has %q, without the lines %q", &stderr, want)
	}
	stderr.Reset()
	log.Named("master").Info("admin listening", "address", "serving: x")
	log.Info("serving")
	if want := "<6>[INFO]  indrik.master: admin listening: address=\"serving: x\"\n"; !strings.Contains(stderr.String(), want) {
		t.Errorf("standard error has %q, want %q", &stderr, want)
	}
}

// A line that the journal does not take is not lost.
func TestEventsWithoutAJournal(t *testing.T) {
	var stderr bytes.Buffer
	out := newOutput(&stderr, true, 1)
	out.events = logsink.NewJournal(filepath.Join(t.TempDir(), "none"))
	newLog(out, "info").Named("master").Info("serving", "gen", 1)
	if got := stderr.String(); got != "<6>[INFO]  indrik.master: serving: gen=1\n" {
		t.Errorf("standard error has %q", got)
	}
}

var catalogueID = regexp.MustCompile(`(?m)^-- ([0-9a-f]{32})$`)

// Each identity is explained, and nothing else is.
func TestTheCatalogueIsWhole(t *testing.T) {
	text, err := os.ReadFile("../../packaging/indrik.catalog")
	if err != nil {
		t.Fatal(err)
	}
	var explained, wanted []string
	for _, m := range catalogueID.FindAllStringSubmatch(string(text), -1) {
		explained = append(explained, m[1])
	}
	for _, id := range events {
		wanted = append(wanted, id)
	}
	slices.Sort(explained)
	if slices.Sort(wanted); !slices.Equal(explained, wanted) || len(slices.Compact(slices.Clone(wanted))) != len(wanted) {
		t.Errorf("the catalogue has %q, the log %q", explained, wanted)
	}
	for _, name := range regexp.MustCompile(`@([A-Z_]+)@`).FindAllStringSubmatch(string(text), -1) {
		known := name[1] == "WORKER_PID" || name[1] == "PROCESS_PID"
		for _, field := range fieldNames {
			known = known || field == name[1]
		}
		if !known {
			t.Errorf("the catalogue speaks of %s, which no entry has", name[0])
		}
	}
}
