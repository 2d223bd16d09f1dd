package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// proveBootNice reloads: the new processes have a lower priority while they boot, and
// the usual one, with every thread and child that the import has started, when they
// serve; and before that when they take too long.
func proveBootNice(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NICE, &limit); err != nil || os.Geteuid() != 0 && limit.Cur < 20 {
		t.Skipf("a priority cannot be given back here (RLIMIT_NICE %d, %v)", limit.Cur, err)
	}
	usual, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	base := niceIn(t, usual)
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "1", "--boot-nice", "7", "--boot-timeout", "8"))
	old := s.niceness()
	w.put("version.py", `
import os, subprocess, threading, time
from notes import note
note("begun", os.nice(0))
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
threading.Thread(target=threading.Event().wait, daemon=True).start()
limit = time.monotonic() + 20
while os.nice(0) > `+strconv.Itoa(base)+` and time.monotonic() < limit:
    time.sleep(0.01)
note("later", os.nice(0))
VERSION = "2"
`)
	s.kill(s.pid, syscall.SIGHUP)
	if got, want := s.note("begun"), strconv.Itoa(base+7); got != want {
		t.Errorf("the worker that boots has the nice value %s, want %s", got, want)
	}
	if got, want := s.note("later"), strconv.Itoa(base); got != want {
		t.Errorf("after a quarter of boot_timeout it had %s, want %s", got, want)
	}
	s.stderr.await(t, 1, "indrik.master: reload done")
	if got := s.niceness(); !slices.Equal(slices.Compact(got), []int{base}) || len(got) < len(old)+2 {
		t.Errorf("after the reload threads have the nice values %v, want all %d; before it %v", got, base, old)
	}
	w.version("3")
	s.reload(2)
	if got := s.niceness(); !slices.Equal(slices.Compact(got), []int{base}) {
		t.Errorf("after a quick reload threads have the nice values %v, want all %d", got, base)
	}
	s.stop()
}

// niceness is the nice values of all threads of the mold, the worker and its children.
func (s *service) niceness() (all []int) {
	s.t.Helper()
	mold, worker := s.the("mold"), s.the("worker")
	for _, pid := range processes() {
		if pid != mold && pid != worker && parent(pid) != worker {
			continue
		}
		names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid)) // the pattern is well formed
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil {
				all = append(all, niceIn(s.t, text))
			}
		}
	}
	return all
}

// niceIn reads the nice value in a text of /proc/PID/stat.
func niceIn(t testing.TB, text []byte) int {
	t.Helper()
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 17 {
		t.Fatalf("no nice value in %q", text)
	}
	nice, err := strconv.Atoi(fields[16]) // the 19th of all (proc_pid_stat(5))
	if err != nil {
		t.Fatal(err)
	}
	return nice
}
