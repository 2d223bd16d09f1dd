package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// held is a binary that waits, as a preflight or when it takes over, for a file to
// vanish.
type held struct {
	installed
	gate string // while this file is there
}

// hold makes the binary wait in that step: "preflight" or "takeover".
func (w installed) hold(step string) held {
	w.t.Helper()
	h := held{w, filepath.Join(w.dir, "hold")}
	w.put("hold", "")
	_ = os.Remove(filepath.Join(w.dir, "held")) // of the time before
	sign := map[string]string{"preflight": "==", "takeover": "!="}[step]
	// Not a shell: those unblock signals.
	w.script(fmt.Sprintf(`#!%s -SE
import os, sys, time
if sys.argv[1] %s "preflight":
    open(%q, "w").close()
    while os.path.exists(%q):
        time.sleep(0.01)
os.execv(%q, ["indrik"] + sys.argv[1:])
`, world.python, sign, filepath.Join(w.dir, "held"), h.gate, later(w.t)))
	return h
}

// reached waits until the binary waits.
func (h held) reached(s *service) {
	h.t.Helper()
	s.until("the new binary has been reached", func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "held"))
		return err == nil
	})
}

// release lets it go on, and first puts the binary that the script executes in the
// script's place: the new image would else find another one on disk than itself, and
// reload again as soon as it is done.
func (h held) release() {
	h.t.Helper()
	linked := h.binary + ".linked"
	if err := os.Link(later(h.t), linked); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(linked, h.binary); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Remove(h.gate); err != nil {
		h.t.Fatal(err)
	}
}

// Every process may be killed at the steps of a reload that an exec adds; something
// serves after it, unless it is the master itself that was killed. Those without an
// exec are in reload_faults_test.go. A full disk is no fault here: nothing of the
// state is in a file.
func TestKillsAroundAnExec(t *testing.T) {
	t.Parallel()
	for step, victims := range map[string][]string{
		"preflight": {"preflight", "mold", "gateway", "worker"},
		"takeover":  {"mold", "gateway", "worker", "new image"},
	} {
		t.Run(step, func(t *testing.T) {
			w := install(t, later(t))
			s := serve(t, w.launch("-w", "2"))
			s.allow("reload failed", "worker ended", "mold ended", "gateway ended", "could not be handed over")
			s.allServe(2)
			done, failed := 0, 0
			for n, victim := range victims {
				h := w.hold(step)
				s.hangUp()
				s.kill(s.pid, syscall.SIGUSR2)
				h.reached(s)
				s.kill(s.victim(victim), syscall.SIGKILL)
				if victim == "new image" {
					<-s.ended
					s.until("nobody is left", func() bool { return len(marked(s.mark)) == 0 })
					return
				}
				w.version(fmt.Sprint(n + 2))
				h.release()
				if victim == "preflight" {
					failed++
					s.stderr.await(t, failed, "indrik.master: reload failed: ")
					s.wants("/version", 200, "1")
					continue
				}
				done++
				s.stderr.await(t, done, "indrik.master: reload done")
				s.until("whoever was killed is replaced", func() bool {
					return len(s.children("worker")) == 2 && len(s.children("mold")) == 1 && len(s.children("gateway")) == 1
				})
				s.wants("/version", 200, fmt.Sprint(n+2))
			}
			s.stop()
		})
	}
}

// victim is the process of a role, or of a step.
func (s *service) victim(role string) int {
	s.t.Helper()
	switch role {
	case "preflight":
		return s.child("indrik")
	case "new image":
		return s.pid
	case "worker":
		return s.children("worker")[0]
	}
	return s.the(role)
}

// child returns the only child of the master that is called so.
func (s *service) child(name string) (pid int) {
	s.t.Helper()
	s.until("one child "+name, func() bool {
		for _, one := range processes() {
			if parent(one) == s.pid && role(one) == "" {
				pid = one
			}
		}
		return pid != 0
	})
	return pid
}

// Signals that come while there is no master to hear them, in the middle of an exec,
// are obeyed by the new image. A HUP then asks for what is under way.
func TestSignalsDuringAnExec(t *testing.T) {
	t.Parallel()
	w := install(t, later(t))
	s := serve(t, w.launch("-w", "1"))
	s.allow("number of workers is at its bound")
	h := w.hold("takeover")
	s.kill(s.pid, syscall.SIGUSR2)
	h.reached(s)
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH, syscall.SIGHUP} {
		s.kill(s.pid, sig)
	}
	w.version("2")
	w.replace(later(t))
	h.release()
	s.stderr.await(t, 2, "indrik.master: reload done")
	s.wants("/version", 200, "2")
	for _, part := range []string{"signal without effect: signal=SIGWINCH", "reload put off: signal=SIGUSR2", "signal=SIGTTOU", "signal=SIGTTIN"} {
		if n := s.stderr.count(part); n != 1 {
			t.Errorf("%q: %d lines, want 1", part, n)
		}
	}
	if n := s.stderr.count("log files reopened"); n != 3 { // two reloads and USR1
		t.Errorf("log files were reopened %d times, want 3", n)
	}
	for n := range 6 { // and at no particular time
		s.hangUp()
		s.kill(s.pid, syscall.SIGUSR2)
		time.Sleep(time.Duration(n) * 4 * time.Millisecond) // that is what varies
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTTIN, syscall.SIGWINCH} {
			s.kill(s.pid, sig)
		}
		s.stderr.await(t, n+2, "signal without effect: signal=SIGWINCH")
		s.stderr.await(t, n+3, "indrik.master: reload done")
	}
	s.stop()
}

// A stop during a preflight does not wait for it.
func TestStopDuringAPreflight(t *testing.T) {
	t.Parallel()
	w := install(t, later(t))
	s := serve(t, w.launch("-w", "1"))
	h := w.hold("preflight")
	s.kill(s.pid, syscall.SIGUSR2)
	h.reached(s)
	s.kill(s.pid, syscall.SIGHUP)
	s.stderr.await(t, 1, "reload put off")
	s.stop()
}

// A disk without room takes no log, and costs no reload, with an exec or without: the
// state is in memory.
func TestReloadsWithAFullDisk(t *testing.T) {
	t.Parallel()
	w := install(t, later(t))
	s := start(t, w.launch("-w", "1", "--error-logfile", "/dev/full", "--access-logfile", "/dev/full", "--control-socket", "control"))
	status := func() string {
		said, _ := output(w.dir, world.binary, "status", "--json", "--socket", "control") // not there yet
		return said
	}
	s.until("it serves", func() bool { return strings.Contains(status(), `"pid"`) })
	for n, signal := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGHUP} {
		out, err := output(w.dir, world.binary, "reload", "--socket", "control")
		if err != nil {
			t.Fatalf("indrik reload: %q, %v", out, err)
		}
		before := fmt.Sprintf(`"generation": %d`, 2*n+3)
		s.kill(s.pid, signal)
		s.until("generation after "+signal.String(), func() bool { return strings.Contains(status(), before) })
	}
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
}

// A stop is never lost in an exec, whenever it comes: up to it the service drains, in the
// milliseconds until the new image can hear it ends at once.
func TestStopsAroundAnExec(t *testing.T) {
	gently := 0
	for n := range 8 {
		w := install(t, later(t))
		s := serve(t, w.launch("-w", "1"))
		h := w.hold("preflight")
		s.kill(s.pid, syscall.SIGUSR2)
		h.reached(s)
		preflight := s.child("indrik")
		h.release()
		for parent(preflight) == s.pid { // without a pause: what is to be hit are microseconds
			continue
		}
		time.Sleep(time.Duration(n) * 300 * time.Microsecond) // that is what varies
		s.kill(s.pid, syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(patience):
			t.Fatalf("a TERM %d microseconds after the preflight was lost", n*300)
		}
		state := s.cmd.ProcessState
		status, _ := state.Sys().(syscall.WaitStatus)
		switch {
		case state.ExitCode() == 0:
			gently++
		case !status.Signaled() || status.Signal() != syscall.SIGTERM:
			t.Errorf("TERM ended the master with %v", state)
		}
		s.until("nobody is left", func() bool { return len(marked(s.mark)) == 0 })
	}
	t.Logf("%d of 8 were gentle", gently)
}
