package programs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// lineLimit is how much of a line is written at once, in bytes. A longer one becomes
// several.
const lineLimit = 8 << 10

// prefixer copies what one program prints, each line with its origin before it. It
// reads no faster than what it writes to takes: a program that floods its output
// waits, and nothing is kept in memory.
type prefixer struct {
	read, write *os.File
	to          *os.File
	done        chan struct{} // closed when everything was copied
}

// outputs returns the descriptors of standard output and error for w.
func (m *master) outputs(w *worker) (stdout, stderr uintptr, err error) {
	if !w.gen.plan.settings.ExecPrefixOutput() {
		return rawFD(m.cfg.Stdout), rawFD(m.cfg.Stderr), nil
	}
	for _, to := range []*os.File{m.cfg.Stdout, m.cfg.Stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			w.releaseOutputs()
			return 0, 0, fmt.Errorf("make a pipe for output: %w", err)
		}
		w.output = append(w.output, &prefixer{read: read, write: write, to: to, done: make(chan struct{})})
	}
	m.printing = append(slices.DeleteFunc(m.printing, (*prefixer).finished), w.output...)
	return rawFD(w.output[0].write), rawFD(w.output[1].write), nil
}

// releaseOutputs closes our copies of the program's ends, and begins to read ours.
func (w *worker) releaseOutputs() {
	for _, p := range w.output {
		_ = p.write.Close() // the program has its own, or there is none
		if w.pid == 0 {
			_ = p.read.Close() // nothing was written
			close(p.done)
			continue
		}
		go p.run(fmt.Sprintf("[slot %d, pid %d] ", w.slot, w.pid))
	}
}

// finished reports whether everything was copied.
func (p *prefixer) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// awaitOutput waits until everything that programs have printed was copied. Nobody
// holds the other ends any more, but who reads ours may have stopped.
func (m *master) awaitOutput() {
	limit := time.After(outputLimit)
	for _, p := range m.printing {
		select {
		case <-p.done:
		case <-limit:
			m.log.Warn("output of programs was cut off", "limit", outputLimit)
			return
		}
	}
}

// outputLimit is how long the end of the service waits for those who read its output.
const outputLimit = time.Second

// run copies until the last holder of the other end is gone.
func (p *prefixer) run(prefix string) {
	defer close(p.done)
	defer func() { _ = p.read.Close() }() // read side; nothing to lose
	in := bufio.NewReaderSize(p.read, lineLimit)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			// One write, so that lines of several programs do not mix.
			text := prefix + strings.TrimSuffix(string(line), "\n") + "\n"
			_, _ = io.WriteString(p.to, text) // if our own output is gone, nobody reads it
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
