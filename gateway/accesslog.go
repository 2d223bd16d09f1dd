package gateway

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/indrik/indrik/http1"
)

// accessLogRoom is how many bytes may wait to be written before lines are
// dropped: a reader of our standard output that has stopped must not stop us.
const accessLogRoom = 4 << 20

// accessLogQuiet is how long a log that cannot be written is not mentioned again.
const accessLogQuiet = 10 * time.Second

// accessLog writes a line per response in Gunicorn's default format. Loops and
// goroutines give it lines; one goroutine writes them.
type accessLog struct {
	log  hclog.Logger
	file *os.File
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	pending []byte
	dropped int
	closed  bool
}

// openAccessLog starts the log; where is Config.AccessLog. It returns nil for
// no log, and every method of a nil log does nothing.
func openAccessLog(where string, stdout *os.File, log hclog.Logger) (*accessLog, error) {
	file := stdout
	switch where {
	case "":
		return nil, nil
	case "-":
	default:
		var err error
		file, err = os.OpenFile(where, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open the access log: %w", err)
		}
	}
	a := &accessLog{log: log, file: file, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go a.run()
	return a, nil
}

// write gives lines to the log.
func (a *accessLog) write(lines []byte) {
	if a == nil || len(lines) == 0 {
		return
	}
	a.mu.Lock()
	if len(a.pending)+len(lines) > accessLogRoom {
		a.dropped++
	} else {
		a.pending = append(a.pending, lines...)
	}
	a.mu.Unlock()
	a.signal()
}

func (a *accessLog) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run writes what is pending until close.
func (a *accessLog) run() {
	defer close(a.done)
	var spare []byte
	var told time.Time // when a failure was last mentioned
	for range a.wake {
		a.mu.Lock()
		lines, dropped, closed := a.pending, a.dropped, a.closed
		a.pending, a.dropped = spare[:0], 0
		a.mu.Unlock()
		if _, err := a.file.Write(lines); err != nil && time.Since(told) > accessLogQuiet {
			told = time.Now()
			a.log.Error("access log could not be written", "error", err)
		}
		if dropped > 0 {
			a.log.Warn("access log lines were dropped", "batches", dropped, "limit", accessLogRoom)
		}
		spare = lines
		if closed {
			return
		}
	}
}

// close writes what is left, but does not wait for ever for a reader.
func (a *accessLog) close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.signal()
	select {
	case <-a.done:
	case <-time.After(time.Second):
	}
}

// logBuffer collects a loop's lines of one round.
type logBuffer struct {
	log   *accessLog
	lines []byte
}

func (a *accessLog) buffer() *logBuffer {
	if a == nil {
		return nil
	}
	return &logBuffer{log: a}
}

func (b *logBuffer) flush() {
	if b != nil && len(b.lines) > 0 {
		b.log.write(b.lines)
		b.lines = b.lines[:0]
	}
}

// logLine is the part of a line that is known when the request is: the client,
// then request line, referer and agent, quoted.
type logLine struct {
	text           []byte
	client, target int // where the parts end
}

func (n *logLine) ask(o *origin, h *http1.Head) {
	b := append(n.text[:0], o.client...)
	n.client = len(b)
	b = append(b, '"')
	b = appendEscaped(append(appendEscaped(b, h.Method), ' '), h.Target)
	b = append(append(append(b, ' '), o.protocol...), '"')
	n.target = len(b)
	b = appendQuotedField(b, h, "referer")
	n.text = appendQuotedField(append(b, ' '), h, "user-agent")
}

func appendQuotedField(b []byte, h *http1.Head, name string) []byte {
	value, ok := h.Get(name)
	if !ok {
		value = []byte{'-'}
	}
	return append(appendEscaped(append(b, '"'), value), '"')
}

// appendEscaped appends text so that it can neither end the quotes it stands in
// nor the line.
func appendEscaped(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c >= 0x7f:
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

// finish adds the line of an answered request to the loop's buffer.
func (n *logLine) finish(l *loop, status, size int) {
	if l.access != nil && len(n.text) > 0 {
		l.access.lines = n.append(l.access.lines, status, int64(size))
	}
}

// write gives the line to the log at once.
func (n *logLine) log(a *accessLog, status int, size int64) {
	if a != nil && len(n.text) > 0 {
		a.write(n.append(nil, status, size))
	}
}

// append renders `client - - [time] "request" status bytes "referer" "agent"`.
func (n *logLine) append(b []byte, status int, size int64) []byte {
	b = append(b, n.text[:n.client]...)
	b = append(b, " - - ["...)
	b = time.Now().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(append(b, "] "...), n.text[n.client:n.target]...)
	b = strconv.AppendInt(append(b, ' '), int64(status), 10)
	b = strconv.AppendInt(append(b, ' '), size, 10)
	b = append(append(b, ' '), n.text[n.target:]...)
	return append(b, '\n')
}

// recycle keeps the memory for the next request.
func (n *logLine) recycle() logLine { return logLine{text: n.text[:0]} }

// detach takes the line away from its request.
func (n *logLine) detach() logLine {
	own := *n
	n.text = nil
	return own
}

// logRefused writes the line of a request that was not understood: there is
// nothing to quote from it but its client.
func (l *loop) logRefused(c *conn, status int) {
	if l.access == nil {
		return
	}
	line := logLine{text: append(append([]byte(nil), c.client...), `"-""-" "-"`...)}
	line.client, line.target = len(c.client), len(c.client)+3
	line.finish(l, status, 0)
}
