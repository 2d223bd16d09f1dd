package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// newLog makes the root logger, the only one that is not derived from another.
// level is one of the loglevel setting; journal says that the journal reads
// out, which stamps lines itself and takes their priority from a prefix.
func newLog(out io.Writer, level string, journal bool) hclog.Logger {
	options := &hclog.LoggerOptions{Name: "indrik", Level: logLevel(level), Output: out, Color: hclog.ColorOff}
	if journal {
		options.DisableTime = true
		options.Output = journalWriter{out: out}
	}
	return hclog.New(options)
}

// logLevel maps Gunicorn's names. hclog has nothing above error, so critical
// shows errors too: better a line too many than a silent failure.
func logLevel(name string) hclog.Level {
	switch name {
	case "debug":
		return hclog.Debug
	case "warning":
		return hclog.Warn
	case "error", "critical":
		return hclog.Error
	}
	return hclog.Info
}

// underJournal reports whether f is the stream that systemd connected to the
// journal: JOURNAL_STREAM holds its device and inode (systemd.exec(5)). The
// variable alone proves nothing, for children inherit it and then have their
// output redirected.
func underJournal(f *os.File, env func(string) string) bool {
	stream := env("JOURNAL_STREAM")
	if stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// journalWriter puts the priority of sd-daemon(3) before each line. hclog calls
// it under its own lock, with one whole record at a time.
type journalWriter struct{ out io.Writer }

// Write is for records without a level.
func (w journalWriter) Write(p []byte) (int, error) { return w.LevelWrite(hclog.Info, p) }

// LevelWrite prefixes every line of a record: the journal makes an entry of
// each, and one without a prefix would count as information. It returns
// len(p) when all is written, as io.Writer wants.
func (w journalWriter) LevelWrite(level hclog.Level, p []byte) (int, error) {
	prefix := []byte{'<', priority(level), '>'}
	var b bytes.Buffer
	for line := range bytes.Lines(p) {
		b.Write(prefix)
		b.Write(line)
	}
	if _, err := w.out.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// priority is the digit of syslog(3).
func priority(level hclog.Level) byte {
	switch level {
	case hclog.Error:
		return '3'
	case hclog.Warn:
		return '4'
	case hclog.Debug, hclog.Trace:
		return '7'
	case hclog.Info, hclog.NoLevel, hclog.Off:
	}
	return '6'
}
