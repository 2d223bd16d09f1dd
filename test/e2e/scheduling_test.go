package e2e

import (
	"fmt"
	"os"
	"strings"
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
