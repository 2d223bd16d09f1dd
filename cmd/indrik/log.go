package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// newLog makes the root logger of a process, the only one that is not derived
// from another. level is one of the loglevel setting.
func newLog(out *output, level string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "indrik", Level: logLevel(level), Output: out, Color: hclog.ColorOff})
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

// withPriority puts the priority of sd-daemon(3) before every line of a record:
// the journal makes an entry of each, and one without a prefix would count as
// information.
func withPriority(level hclog.Level, record []byte) []byte {
	prefix := []byte{'<', priority(level), '>'}
	var b bytes.Buffer
	for line := range bytes.Lines(record) {
		b.Write(prefix)
		b.Write(line)
	}
	return b.Bytes()
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

// withColour colours the level of a record as hclog does on terminals that it writes
// to itself. Files and syslog get records without.
func withColour(level hclog.Level, record []byte) []byte {
	colour := ""
	switch level {
	case hclog.Error:
		colour = "91" // bright red
	case hclog.Warn:
		colour = "93" // bright yellow
	case hclog.Info:
		colour = "94" // bright blue
	case hclog.Trace:
		colour = "92" // bright green
	case hclog.Debug, hclog.NoLevel, hclog.Off:
		return record
	}
	begin, end := bytes.IndexByte(record, '['), bytes.IndexByte(record, ']')
	if begin < 0 || end < begin {
		return record
	}
	return slices.Concat(record[:begin], []byte("\x1b["+colour+"m"), record[begin:end+1], []byte("\x1b[0m"), record[end+1:])
}
