package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/logsink"
	"github.com/indrik/indrik/settings"
)

// syslogRoom bounds lines that wait for a syslog daemon, in bytes.
const syslogRoom = 1 << 20

// output is where the log of a process goes: standard error at first, and what
// the settings say once they are known. Any goroutine may use it.
type output struct {
	stderr  io.Writer
	journal bool // the journal reads stderr
	colours bool // stderr is a terminal on which levels are coloured
	pid     int
	counts  *logsink.Counts

	mu     sync.Mutex
	path   string   // of the file errorlog, absolute; "" for stderr
	file   *os.File // that file
	owner  int      // user who must be able to open the file too; -1 for nobody else
	syslog *logsink.Writer
	events *logsink.Remote // the journal, for what it is to have with fields; nil for none
	tag    func(severity int) string
}

func newOutput(stderr io.Writer, journal bool, pid int) *output {
	return &output{stderr: stderr, journal: journal, pid: pid, counts: new(logsink.Counts), owner: -1}
}

// Try reports whether Open would succeed.
func (o *output) Try(values *settings.Values) error {
	if _, err := logsink.ParseSyslog(values.SyslogAddr()); err != nil {
		return fmt.Errorf("syslog_addr: %w", err)
	}
	if values.ErrorLog() == "-" {
		return nil
	}
	file, err := openLog(values.ErrorLog(), -1)
	if err != nil {
		return err
	}
	return file.Close()
}

// Open leads the log to the file errorlog and to syslog, if the settings want
// that. program is what syslog calls the service. On an error the log goes on
// where it went.
func (o *output) Open(values *settings.Values, program string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	path, owner, file := "", -1, (*os.File)(nil)
	if values.ErrorLog() != "-" {
		var err error
		if path, err = filepath.Abs(values.ErrorLog()); err != nil {
			return fmt.Errorf("error log: %w", err)
		}
		owner = userNumber(values.User())
		if file, err = openLog(path, owner); err != nil {
			return err
		}
	}
	o.useFile(file)
	o.path, o.owner = path, owner
	o.syslog.Close()
	o.syslog = nil
	if values.Syslog() {
		return o.openSyslog(values, program)
	}
	return nil
}

// Reopen opens the file errorlog anew: its name may stand for another.
func (o *output) Reopen() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == "" {
		return nil
	}
	file, err := openLog(o.path, o.owner)
	if err == nil {
		o.useFile(file)
	}
	return err
}

// useFile makes file the one that is written to; nil for none.
func (o *output) useFile(file *os.File) {
	if o.file != nil {
		_ = o.file.Close() // each line was written at once
	}
	o.file = file
}

// openLog opens a file for appending and gives it to a user, if there is one: the
// workers, who open it too, may be others than we.
func openLog(path string, owner int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("error log: %w", err)
	}
	if owner >= 0 && os.Geteuid() == 0 {
		if err := file.Chown(owner, -1); err != nil {
			_ = file.Close() // nothing was written
			return nil, fmt.Errorf("give the error log to the workers' user: %w", err)
		}
	}
	return file, nil
}

func (o *output) openSyslog(values *settings.Values, program string) error {
	address, err := logsink.ParseSyslog(values.SyslogAddr())
	if err != nil {
		return fmt.Errorf("syslog_addr: %w", err)
	}
	facility, _ := logsink.Facility(values.SyslogFacility()) // the registry has no others
	o.tag = func(severity int) string {
		return logsink.SyslogTag(facility, severity, program+".error") + "[" + strconv.Itoa(o.pid) + "] "
	}
	o.syslog = logsink.NewWriter(logsink.NewSyslog(address, ""), syslogRoom, func(lost int, err error) {
		o.complain(fmt.Sprintf("syslog lost %d lines: %v", lost, err))
	})
	return nil
}

// complain says what goes wrong with the log itself, where that still can be read.
func (o *output) complain(text string) {
	prefix := ""
	if o.journal {
		prefix = "<4>"
	}
	_, _ = fmt.Fprintf(o.stderr, "%sindrik: %s\n", prefix, text) // if stderr is gone, nobody is left to tell
}

// Close lets syslog have what is left, but does not wait long.
func (o *output) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.syslog.Close()
}

// Write writes text as it is: a traceback, as a rule.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.toSyslog(logsink.Error, p)
	return o.write(p, p)
}

// LevelWrite writes one whole record of hclog, which begins with the time.
func (o *output) LevelWrite(level hclog.Level, p []byte) (int, error) {
	switch level {
	case hclog.Error:
		o.counts.Error()
	case hclog.Warn:
		o.counts.Warning()
	case hclog.NoLevel, hclog.Trace, hclog.Debug, hclog.Info, hclog.Off:
	}
	_, bare, _ := bytes.Cut(p, []byte{' '}) // both the journal and syslog have clocks
	o.mu.Lock()
	defer o.mu.Unlock()
	o.toSyslog(int(priority(level)-'0'), bare)
	record := p
	if o.colours {
		record = withColour(level, p)
	}
	if o.journal {
		rest := o.tellJournal(level, bare)
		if len(rest) == 0 {
			return len(p), nil
		}
		record = withPriority(level, rest)
	}
	if _, err := o.write(p, record); err != nil {
		return 0, err
	}
	return len(p), nil
}

// write writes to the file, or in another form to standard error. What a full
// disk does not take goes to standard error too.
func (o *output) write(toFile, toStderr []byte) (int, error) {
	if o.file != nil {
		n, err := o.file.Write(toFile)
		if err == nil {
			return n, nil
		}
	}
	return o.stderr.Write(toStderr)
}

// toSyslog makes a message of each line.
func (o *output) toSyslog(severity int, text []byte) {
	if o.syslog == nil {
		return
	}
	var messages []byte
	count := 0
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n \t"); len(line) > 0 {
			messages = append(append(append(messages, o.tag(severity)...), line...), '\n')
			count++
		}
	}
	o.syslog.Add(messages, count)
}

// userNumber is the number of a user that is given by name or number; -1 if there
// is none, which those who become that user will report.
func userNumber(text string) int {
	if number, err := strconv.Atoi(text); err == nil {
		return number
	}
	if text == "" {
		return -1
	}
	found, err := user.Lookup(text)
	if err != nil {
		return -1
	}
	number, err := strconv.Atoi(found.Uid)
	if err != nil {
		return -1
	}
	return number
}
