package lab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// systemd gives the unit a control group to divide; without that nothing could be
// said of one worker alone, and what it leaves behind would stay until the stop.
func TestEachWorkerHasAControlGroup(t *testing.T) {
	t.Parallel()
	s := install(t, "groups", config{options: "--workers 2 --worker-memory-high 200MB"})
	s.systemctl("start", s.unit())
	s.await(s.from, said("serving:"))
	s.get("/", "hello from flask\n")
	s.wantParts("master", "gateway", "mold-1", "worker-0-1", "worker-1-1")
	if got := s.read("cgroup.procs"); got != "" {
		t.Errorf("the unit's own group holds %q, want nothing", got)
	}
	if got := s.read("master/cgroup.procs"); got != strconv.Itoa(s.mainPID()) {
		t.Errorf("the master's part holds %q, want the master", got)
	}
	if _, err := s.lab.Run(s.limit(), "test", "-e", s.group()+"/memory.high"); err == nil {
		for _, part := range s.parts("worker") {
			if got := s.read(part + "/memory.high"); got != "199999488" { // whole pages
				t.Errorf("memory.high of %s: got %s", part, got)
			}
		}
	} else {
		s.await(s.from, said("setting counts for nothing: setting=worker_memory_high"))
	}

	s.wantUsage()

	left, err := s.lab.fetch(s.limit(), "unix", s.path(), "/leave-behind")
	s.must(err)
	worker := s.partOf(left)
	before, err := s.lab.Cursor(s.limit())
	s.must(err)
	s.signal("KILL", pidOf(t, worker))
	killed := s.await(before, said("processes left by a worker killed"))
	if !strings.Contains(killed.Message, left) {
		t.Errorf("got %q, want pid %s in it", killed.Message, left)
	}
	s.wantParts("master", "gateway", "mold-1", "worker-0-1", "worker-1-1")
	s.get("/", "hello from flask\n")
}

// wantUsage wants the status to tell of each worker what the kernel counts of its part.
func (s *service) wantUsage() {
	s.t.Helper()
	var told struct {
		Workers []struct {
			Slot, PID int
			Group     *struct {
				CPU float64 `json:"cpu_seconds"`
			}
		}
	}
	out, err := s.lab.Run(s.limit(), "indrik", "status", "--json", s.name)
	s.must(err)
	s.must(json.Unmarshal([]byte(out), &told))
	if len(told.Workers) != 2 {
		s.t.Fatalf("the status tells of %d workers, want 2", len(told.Workers))
	}
	for _, w := range told.Workers {
		counted := s.count(fmt.Sprintf("worker-%d-1-%d/cpu.stat", w.Slot, w.PID), "usage_usec") / 1e6 // not before the status
		if w.Group == nil || w.Group.CPU <= 0 || w.Group.CPU > counted {
			s.t.Errorf("the status says of worker %d %+v, the kernel %.3f s", w.PID, w.Group, counted)
		}
	}
}

// count is the number beside a word in a file of the unit's control group.
func (s *service) count(file, word string) float64 {
	s.t.Helper()
	for line := range strings.Lines(s.read(file)) {
		if text, found := strings.CutPrefix(line, word+" "); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			s.must(err)
			return n
		}
	}
	s.t.Fatalf("no %s in %s", word, file)
	return 0
}

// group is the directory of the unit's control group in the lab.
func (s *service) group() string { return "/sys/fs/cgroup" + s.property("ControlGroup") }

// parts are the names of the groups in it that begin so, sorted. That of systemd itself
// for ExecReload is not ours.
func (s *service) parts(prefix string) (names []string) {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "find", s.group(), "-mindepth", "1", "-type", "d", "-printf", "%f\n")
	s.must(err)
	for name := range strings.FieldsSeq(out) {
		if strings.HasPrefix(name, prefix) && name != ".control" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wantParts waits until there is one part for each of these, and no other; the pid at
// the end of a name may be any.
func (s *service) wantParts(want ...string) {
	s.t.Helper()
	slices.Sort(want)
	for limit := s.limit(); ; {
		got := s.parts("")
		for i, name := range got {
			if cut := strings.LastIndexByte(name, '-'); cut > 0 {
				got[i] = name[:cut]
			}
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		if limit.Err() != nil {
			s.t.Fatalf("parts of the control group: got %q, want %q", got, want)
		}
	}
}

// partOf is the worker's part that a process is in.
func (s *service) partOf(pid string) string {
	s.t.Helper()
	for _, part := range s.parts("worker") {
		if slices.Contains(strings.Fields(s.read(part+"/cgroup.procs")), pid) {
			return part
		}
	}
	s.t.Fatalf("process %s is in no worker's part", pid)
	return ""
}

// read is what a file of the unit's control group says.
func (s *service) read(file string) string {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "cat", fmt.Sprintf("%s/%s", s.group(), file))
	s.must(err)
	return strings.TrimSpace(out)
}

// pidOf is the pid in a part's name.
func pidOf(t *testing.T, part string) int {
	t.Helper()
	pid, err := strconv.Atoi(part[strings.LastIndexByte(part, '-')+1:])
	if err != nil {
		t.Fatalf("part %q: %v", part, err)
	}
	return pid
}
