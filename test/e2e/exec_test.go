package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// programsRunning lists the children of a master of programs.
func (s *service) programsRunning() []int {
	var pids []int
	for _, pid := range processes() {
		if parent(pid) == s.pid {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// running waits until there are n programs.
func (s *service) running(n int) []int {
	s.t.Helper()
	var pids []int
	s.until(fmt.Sprintf("%d programs", n), func() bool {
		pids = s.programsRunning()
		return len(pids) == n
	})
	return pids
}

const oneShot = "Connection: close\r\n"

// The whole life of a service of programs that speak sd_notify, under load: one is
// killed, their number changes, all are exchanged, one cannot be, and at the end
// everybody leaves.
func TestExecKeepsPrograms(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken")
	started := programs(t, "fails="+broken, "-w", "2", "--log-level", "debug")
	binary := filepath.Join(t.TempDir(), "indrik")
	started.program[0] = binary
	if err := copyFile(world.binary, binary); err != nil {
		t.Fatal(err)
	}
	s := serve(t, started)
	s.allow("worker ended", "reload failed")
	s.ready(2)
	before := descriptors(t, s.pid)
	if _, got := s.get("/about"); !strings.HasPrefix(got, "listen_pid=true names=bind0 slot=") {
		t.Errorf("the program finds %q", got)
	}
	l := s.loadWith(3, "/", oneShot)
	l.flows()

	first := s.running(2)
	s.kill(first[0], syscall.SIGKILL)
	s.ready(3)
	l.flows()
	s.kill(s.pid, syscall.SIGTTIN)
	s.ready(4)
	s.running(3)
	s.kill(s.pid, syscall.SIGTTOU)
	s.running(2)

	old := s.running(2)
	s.reload(1)
	if n := s.stderr.count("another binary not executed"); n != 0 {
		t.Errorf("the binary is said to be another one %d times, and is the same", n)
	}
	if now := s.running(2); slices.Contains(now, old[0]) || slices.Contains(now, old[1]) {
		t.Errorf("after a reload: %v, before %v", now, old)
	}
	l.flows()

	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kept := s.running(2)
	if err := os.Rename(binary, binary+".old"); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(world.binary, binary); err != nil {
		t.Fatal(err)
	}
	if line := s.failReload(1); !strings.Contains(line, "ended with status 7") {
		t.Errorf("a broken program gave %q", line)
	}
	s.stderr.await(t, 1, "another binary not executed", binary)
	if now := s.running(2); !slices.Equal(now, kept) {
		t.Errorf("after a reload that failed: %v, before %v", now, kept)
	}
	l.flows()
	// The one that was killed may have held as many as it had accepted.
	l.end().atMost(t, map[string]int{outcomeCut: 3})
	s.until("as few descriptors as before", func() bool { return descriptors(t, s.pid) <= before+grown })
	s.stop()
}

// ofPrograms are the settings that only indrik exec has. Their effects are in the
// tests of exec_faults_test.go.
func ofPrograms() (proofs []proof) {
	for setting, test := range map[string]string{
		"exec":               "TestExecFromAFile",
		"exec_ready":         "TestExecOfSilentPrograms",
		"exec_ready_after":   "TestExecOfSilentPrograms",
		"exec_stop_signal":   "TestExecOfSilentPrograms",
		"exec_watchdog":      "TestExecFaults",
		"exec_per_worker":    "TestExecListenersOfTheirOwn",
		"exec_nonblocking":   "TestExecListenersOfTheirOwn",
		"exec_fd_store":      "TestExecFaults",
		"exec_surge":         "TestExecReplacesOneAtATime",
		"exec_prefix_output": "TestExecFaults",
	} {
		proofs = append(proofs, proof{setting: setting, file: "test/e2e/exec_faults_test.go", test: test})
	}
	return proofs
}
