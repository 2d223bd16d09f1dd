package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/indrik/indrik/settings"
)

// logSettings resolves settings about logs, given in turn.
func logSettings(t *testing.T, pairs ...string) *settings.Values {
	t.Helper()
	layer := settings.Layer{Source: settings.CommandLine}
	for i := 0; i < len(pairs); i += 2 {
		layer.Items = append(layer.Items, settings.Item{Name: pairs[i], Texts: []string{pairs[i+1]}, Origin: pairs[i]})
	}
	values, err := settings.Resolve(layer)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestTheLogMovesToItsFile(t *testing.T) {
	var stderr bytes.Buffer
	out := newOutput(&stderr, true, 1)
	log := newLog(out, "info")
	path := filepath.Join(t.TempDir(), "log")
	log.Info("before")
	if err := out.Open(logSettings(t, "errorlog", path), "x"); err != nil {
		t.Fatal(err)
	}
	log.Info("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	log.Warn("two")
	if err := out.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Error("three")
	_, _ = out.Write([]byte("a traceback\n"))
	if stderr.String() != "<6>[INFO]  indrik: before\n" {
		t.Errorf("standard error has %q", stderr.String())
	}
	stamp := `\d{4}-\d\d-\d\dT\S+ `
	for name, want := range map[string]string{
		path + ".1": `^` + stamp + `\[INFO\]  indrik: one\n` + stamp + `\[WARN\]  indrik: two\n$`,
		path:        `^` + stamp + `\[ERROR\] indrik: three\na traceback\n$`,
	} {
		if text, err := os.ReadFile(name); err != nil || !regexp.MustCompile(want).Match(text) {
			t.Errorf("%s has %q, %v; want %s", name, text, err, want)
		}
	}
	if errors, warnings := out.counts.Take(); errors != 1 || warnings != 1 {
		t.Errorf("%d errors and %d warnings were counted, want one each", errors, warnings)
	}
}

// A log that cannot be written any more, or not be opened anew, is no reason to
// say nothing.
func TestALogThatCannotBeWritten(t *testing.T) {
	var stderr bytes.Buffer
	out := newOutput(&stderr, false, 1)
	if err := out.Open(logSettings(t, "errorlog", "/dev/full"), "x"); err != nil {
		t.Fatal(err)
	}
	newLog(out, "info").Info("told")
	if !strings.HasSuffix(stderr.String(), "[INFO]  indrik: told\n") {
		t.Errorf("standard error has %q", stderr.String())
	}
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := out.Open(logSettings(t, "errorlog", path), "x"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := out.Reopen(); err == nil {
		t.Error("a file in a directory that is gone was opened")
	}
	newLog(out, "info").Info("on and on")
	if text, err := os.ReadFile(filepath.Join(dir+".gone", "log")); err != nil || !strings.Contains(string(text), "on and on") {
		t.Errorf("the old file has %q, %v", text, err)
	}
	if err := newOutput(&stderr, false, 1).Open(logSettings(t, "errorlog", path), "x"); err == nil {
		t.Error("it was opened at the start")
	}
}

func TestSyslogGetsALineForEachLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "syslog")
	daemon, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	var stderr bytes.Buffer
	out := newOutput(&stderr, false, 77)
	values := logSettings(t, "syslog", "true", "syslog_addr", "unix://"+path, "syslog_facility", "daemon")
	if err := out.Open(values, "gunicorn.shop"); err != nil {
		t.Fatal(err)
	}
	newLog(out, "info").Error("boot failed", "text", "one\ntwo")
	out.Close()
	var got []string
	buffer := make([]byte, 4096)
	for range 4 {
		if err := daemon.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := daemon.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(buffer[:n]))
	}
	tag := "<27>gunicorn.shop.error: [77] "
	if want := []string{tag + "[ERROR] indrik: boot failed:", tag + "  text=", tag + "  | one", tag + "  | two"}; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.Contains(stderr.String(), "boot failed") {
		t.Errorf("standard error has %q", stderr.String())
	}
}
