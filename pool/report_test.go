package pool

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// The line about a death can be kept back, and written when more is known: also after the
// pool has ended. Nothing else waits for it.
func TestTheLineAboutADeathCanWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var kept func(more ...any)
		report := func(d *Death, write func(more ...any)) {
			if d.Cause == Signalled {
				kept = write
				return
			}
			write()
		}
		w := newWorld(t, Config{Size: 1, Report: report}, nil)
		w.log.expect("worker ended")
		synctest.Wait()
		w.worker(0).end(Exit{Status: -1, Signal: syscall.SIGKILL})
		synctest.Wait()
		if d := w.deaths(); len(d) != 1 || w.worker(0) == nil {
			t.Errorf("deaths %+v, want one and a successor", d)
		}
		if n := w.log.count("worker ended"); n != 0 || kept == nil {
			t.Fatalf("%d lines were written", n)
		}
		w.cancel(errors.New("enough"))
		synctest.Wait()
		kept("requests", 1)
		w.stop()
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		if line := strings.Join(w.log.lines, "\n"); !strings.Contains(line, "signal SIGKILL") || !strings.Contains(line, "requests 1") || strings.Contains(line, "\n") {
			t.Errorf("the log has %q, want one line with what it was and what was added", line)
		}
	})
}
