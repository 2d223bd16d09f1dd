package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// service is the indrik of a round.
type service struct {
	pid     int
	mark    string
	cmd     *exec.Cmd
	address string
	log     string // file with all that it wrote
	ended   chan struct{}

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed when a line came, and replaced
}

// launch starts indrik and waits until it serves.
func launch(cmd *exec.Cmd, mark, log string, b *book) (*service, error) {
	s := &service{mark: mark, cmd: cmd, log: log, ended: make(chan struct{}), more: make(chan struct{})}
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us
	err = cmd.Start()
	_ = w.Close() // the child has its own
	if err != nil {
		return nil, errors.Join(err, r.Close(), file.Close())
	}
	s.pid = cmd.Process.Pid
	go s.read(r, file, b)
	go func() {
		_ = cmd.Wait() // the status is in ProcessState
		close(s.ended)
	}()
	if !s.awaits(1, time.Minute, "indrik.master: serving:") {
		s.end()
		return nil, fmt.Errorf("it does not serve within a minute; its log: %s", log)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.Contains(line, "indrik.master: listening:") {
			s.address = fields(line)["address"]
		}
	}
	return s, nil
}

// read keeps the lines that the service writes, and books deaths and interruptions.
func (s *service) read(from io.ReadCloser, file *os.File, b *book) {
	defer func() { _, _ = from.Close(), file.Close() }() // a log of a test
	in := bufio.NewReader(from)
	for {
		line, err := in.ReadString('\n')
		_, _ = file.WriteString(line) // the same
		if strings.Contains(line, ": worker ended: ") {
			b.died(deathOf(fields(line)))
		}
		if name, limit := interruption(line); name != "" {
			b.interrupted(name, limit)
		}
		s.mu.Lock()
		if !strings.HasPrefix(line, "flood ") {
			s.lines = append(s.lines, strings.TrimSpace(line))
		}
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func deathOf(f map[string]string) death {
	pid, _ := strconv.Atoi(f["pid"]) // 0 matches nothing, and that will be complained about
	lived, _ := time.ParseDuration(f["lived"])
	return death{pid: pid, cause: f["cause"], reason: f["reason"], signal: f["signal"], status: f["status"], lived: lived, at: time.Now()}
}

// interruption is the request that a worker says it interrupts, by its name, which is the
// last part of the path, and the limit that it was past; "" if the line is another.
func interruption(line string) (name string, limit time.Duration) {
	if !strings.Contains(line, " exceeded request_timeout (") {
		return "", 0
	}
	m := regexp.MustCompile(` request 0x[0-9a-f]+ [A-Z]+ '[^']*/([^/']+)'.* exceeded request_timeout \(([0-9.]+) s\)`).FindStringSubmatch(line)
	if m == nil {
		return "", 0
	}
	limit, err := time.ParseDuration(m[2] + "s")
	if err != nil {
		return "", 0
	}
	return m[1], limit
}

// fields are the pairs of a line of indrik's log.
func fields(line string) map[string]string {
	pairs := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)=("(?:[^"\\]|\\.)*"|\S*)`).FindAllStringSubmatch(line, -1) {
		value := m[2]
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
		pairs[m[1]] = value
	}
	return pairs
}

// count is how many lines have a part.
func (s *service) count(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// awaits waits until n lines have a part.
func (s *service) awaits(n int, limit time.Duration, part string) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		s.mu.Lock()
		more := s.more
		s.mu.Unlock()
		if s.count(part) >= n {
			return true
		}
		select {
		case <-more:
		case <-s.ended:
			return s.count(part) >= n
		case <-timer.C:
			return false
		}
	}
}

// bad are lines that no fault excuses.
func (s *service) bad() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		for _, sign := range []string{"DATA RACE", "panic:", "goroutine 1 [", "not understood", "malformed order", "nobody understands", "was not a reply"} {
			if strings.Contains(line, sign) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// stop ends the service as systemd does, and reports whether it went well.
func (s *service) stop() error {
	_ = syscall.Kill(s.pid, syscall.SIGTERM) // our own child, not reaped before ended
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		return fmt.Errorf("it has not ended a minute after SIGTERM")
	}
	if status := s.cmd.ProcessState.ExitCode(); status != 0 {
		return fmt.Errorf("it ended with status %d", status)
	}
	if left := marked(s.mark); len(left) > 0 {
		return fmt.Errorf("processes left behind: %v", left)
	}
	return nil
}

// end kills whatever is there.
func (s *service) end() {
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		pids := marked(s.mark)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: gone by itself
		}
	}
}

// replaceFile writes a file so that nobody ever sees a part of it.
func replaceFile(path, text string) error {
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".next")
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
