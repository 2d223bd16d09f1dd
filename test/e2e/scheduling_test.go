package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Policies of sched(7), as proc_pid_stat(5) has them.
const (
	schedOther = "0"
	schedBatch = "3"
)

// proveScheduling asks the kernel for the policies of workers of each class, of the
// gateway and of the master, of all their threads.
func proveScheduling(t *testing.T) {
	for _, c := range []struct {
		want string // of both
		args []string
	}{
		{schedBatch, nil},
		{schedBatch, []string{"--threads", "3"}},
		{schedBatch, []string{"-k", "gevent"}},
		{schedOther, []string{"--scheduling", "inherit"}},
	} {
		s := serve(t, newSite(t, "plain").launch(append([]string{"-w", "1"}, c.args...)...))
		worker := s.the("worker")
		if got := policies(t, worker); got != c.want {
			t.Errorf("the worker with %q has the policies %s, want %s", c.args, got, c.want)
		}
		if got := policies(t, s.the("gateway")); got != c.want {
			t.Errorf("the gateway with %q has the policies %s, want %s", c.args, got, c.want)
		}
		if got := policies(t, s.pid); got != schedOther {
			t.Errorf("the master with %q has the policies %s, want %s", c.args, got, schedOther)
		}
		s.stop()
	}
}

// While a reload is under way those who serve take the processor from those who boot; afterwards they have the policies
// of the setting again, also if nothing came of the reload.
func TestAReloadIsNoReasonToWait(t *testing.T) {
	w := newSite(t, "plain")
	s := serve(t, w.launch("-w", "1"))
	gateway, worker := s.the("gateway"), s.the("worker")
	w.put("version.py", `
import time
from notes import note
note("begun", 1)
time.sleep(1)
raise SystemExit("not today")
`)
	s.kill(s.pid, syscall.SIGHUP)
	s.note("begun")
	for what, pid := range map[string]int{"gateway": gateway, "worker": worker} {
		if got := policies(t, pid); got != schedOther {
			t.Errorf("while others boot the %s has the policies %s, want %s", what, got, schedOther)
		}
	}
	s.stderr.await(t, 1, "indrik.master: reload failed")
	s.allow("Traceback (most recent", "reload failed", "the reload was given up", `cause="load failed"`, `cause="boot failed"`)
	has := func(pids ...int) func() bool {
		return func() bool {
			return !slices.ContainsFunc(pids, func(pid int) bool { return policies(t, pid) != schedBatch })
		}
	}
	s.until("gateway and worker have their policies again after a reload that failed", has(gateway, worker))
	w.version("2")
	s.reload(1)
	s.until("gateway and worker have their policies again after a reload", has(s.the("gateway"), s.the("worker")))
	s.stop()
}

// policies are the different scheduling policies of the threads of a process. A gthread
// worker's threads are started by its main thread, and so have its policy.
func policies(t *testing.T, pid int) string {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var all []string
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			t.Fatal(err)
		}
		// The fields from the third on stand behind the name, which may hold anything; policy is the 41st.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if policy := fields[41-3]; !seen[policy] {
			seen[policy] = true
			all = append(all, policy)
		}
	}
	return strings.Join(all, " ")
}
