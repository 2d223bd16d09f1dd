package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What is shown of a service under load is what its status says, and each key does what
// the last line says of it.
func TestTop(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain", args: []string{"-w", "2", "--name", "shop", "--graceful-timeout", "1"}})
	s.allow("graceful_timeout", "worker ended")
	held := s.hold("held")
	load := s.load(2, "/")
	c := onTerminal(t, "", nil, "top", "--socket", s.path, "--interval", "300ms")
	c.sees(`● shop  serving: 2 workers, generation 1  up \S+  \d\d:\d\d:\d\d\n`)
	c.sees(`Requests +\d\S*/s  p50 [\d.]+(µs|ms|s)  p99 [\d.]+(µs|ms|s)  failed 0.0/s  in [\d.]+[KM]?B/s`)
	c.sees(`\n *SLOT +GEN +PID PHASE +BUSY +REQUEST +ANSWERED +REQ/S +CPU% +PSS +USS\n`)
	for _, w := range s.status().Workers {
		found := c.sees(fmt.Sprintf(`\n +%d +1 +%d (?:idle|busy) +\d/1 +\S+ +(\d+) +([\d.]+) +[\d.]+ +[\d.]+M +[\d.]+M\n`, w.Slot, w.PID))
		now := learnWorker(s, w.Slot).Answered
		if n, _ := strconv.ParseUint(found[1], 10, 64); n < w.Answered || n > now {
			t.Errorf("worker %d: %d answered are shown, it was %d before and %d after", w.Slot, n, w.Answered, now)
		}
	}
	for i, each := range strings.Split(c.shows(), "\n") {
		if n := len([]rune(each)); n > 80 || i > 23 {
			t.Errorf("line %d has %d columns: %q", i, n, each)
		}
	}
	if !strings.Contains(c.all(), "\x1b[1mshop") {
		t.Error("there are no colours")
	}

	c.press("+")
	c.sees(`workers: 3, before 2`)
	c.sees(`serving: 3 workers`)
	c.press("-")
	c.sees(`workers: 2, before 3`)
	c.press("ss") // by slot, by request, by answered
	c.sees(`sort: answered`)
	c.press("S")
	c.press("sssss") // through all of them
	c.sees(`sort: request`)
	c.press("\x1b[H\r") // the oldest request is the one that is held
	c.sees(`Stacks of slot \d, pid \d+\n(?s:.*)plain\.py", line 26 in `)
	c.press("\x1b[F\x1b[A\x1b")
	c.resize(100, 30)
	c.sees(`\A(?:[^\n]*\n){29} q quit`)
	c.press("r")
	c.sees(`Reload +1 of \S+ (done in|runs for)`)
	c.press("q")
	c.ended(0)
	load.end().atMost(t, nil)
	_ = held.conn.Close()
	s.allow("graceful timeout passed") // the worker of the request that is held may sleep on
	s.stop()
}

// learnWorker is the worker of a slot, as it is now.
func learnWorker(s *controlled, slot int) (found struct{ Answered uint64 }) {
	s.t.Helper()
	for _, w := range s.status().Workers {
		if w.Slot == slot {
			found.Answered = w.Answered
		}
	}
	return found
}

// However it ends, the terminal is as it was; and somebody without a terminal gets a
// picture all the same.
func TestTopGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	s := serveControlled(t, launch{app: "plain", args: []string{"-w", "1", "--name", "shop"}})
	for name, end := range map[string]func(*console){
		"Ctrl-C":  func(c *console) { c.press("\x03") },
		"SIGTERM": func(c *console) { s.kill(c.cmd.Process.Pid, syscall.SIGTERM) },
		"SIGHUP":  func(c *console) { s.kill(c.cmd.Process.Pid, syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			c := onTerminal(t, "", []string{"NO_COLOR=1"}, "top", "--socket", s.path)
			c.sees(`● shop`)
			if mode := c.mode(); mode.Lflag&syscall.ECHO != 0 {
				t.Error("keys are echoed")
			}
			if strings.Contains(c.all(), "\x1b[1m") || strings.Contains(c.all(), "\x1b[3") {
				t.Error("NO_COLOR has colours")
			}
			end(c)
			c.ended(0)
		})
	}
	// Nobody leads this session, so the kernel does not stop it at Ctrl-Z: the terminal is
	// given back, and taken again when a key comes.
	c := onTerminal(t, "", nil, "top", "--socket", s.path)
	c.sees(`● shop`)
	c.press("\x1a")
	c.restored()
	s.kill(c.cmd.Process.Pid, syscall.SIGCONT)
	within(t, patience, "it is back", func() bool { return strings.Count(c.all(), "\x1b[?1049h") == 2 && c.mode().Lflag&syscall.ECHO == 0 })

	status, text, said := s.run("top", "--once", "--interval", "200ms")
	if status != 0 || strings.Contains(text, "\x1b") || !strings.Contains(text, "● shop  serving: 1 worker, generation 1") || !strings.Contains(text, " idle ") {
		t.Errorf("--once: status %d, %q %q", status, text, said)
	}
	var v struct {
		Answered *float64 `json:"answered_per_second"`
		Workers  []struct {
			PID  int
			CPU  *float64 `json:"cpu_percent"`
			Rate *float64 `json:"answered_per_second"`
		}
	}
	if err := json.Unmarshal([]byte(s.runs("top", "--json")), &v); err != nil || v.Answered == nil || math.Abs(*v.Answered) > 0 || len(v.Workers) != 1 || v.Workers[0].CPU == nil || v.Workers[0].Rate == nil || v.Workers[0].PID == 0 {
		t.Errorf("--json: %v, %+v", err, v)
	}
	if status, _, said := s.run("top"); status != 2 || !strings.Contains(said, "--once") {
		t.Errorf("without a terminal: status %d, %q", status, said)
	}
	s.stop()
	c.sees(`no answer since \d\d:\d\d:\d\d: `)
	c.press("q")
	c.ended(0)
	if status, _, said := s.run("top", "--once"); status != 3 {
		t.Errorf("with nobody there: status %d, %q", status, said)
	}
}
