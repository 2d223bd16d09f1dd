package lab

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Where systemd gives the unit a control group to divide, the processes of the
// generation that is kept are frozen, and go on with the rollback, or leave when it is
// over.
func TestWhatIsKeptIsFrozen(t *testing.T) {
	t.Parallel()
	s := install(t, "rollback", config{options: "--workers 2 --keep-previous 600"})
	s.systemctl("start", s.unit())
	s.await(s.from, said("serving:"))
	s.wantParts("master", "gateway", "mold-1", "worker-0-1", "worker-1-1")
	kept := append(s.parts("worker"), s.parts("mold")...)
	for nth := range 2 { // the second time the stop finds them frozen
		s.systemctl("reload", s.unit())
		s.wantFrozen(kept, 1)
		if !s.kept() {
			t.Errorf("reload %d: the status says of nobody that it is kept and frozen", nth)
		}
		s.get("/", "hello from flask\n")
		if nth == 1 {
			break
		}
		out, err := s.lab.Run(s.limit(), "indrik", "rollback", s.name)
		s.must(err)
		if !strings.Contains(out, "generation 1 serves") {
			t.Errorf("indrik rollback said %q", out)
		}
		s.get("/", "hello from flask\n")
		s.wantFrozen(kept, 0)
		s.await(s.from, said("rollback done:"))
	}
	before, err := s.lab.Cursor(s.limit())
	s.must(err)
	s.systemctl("stop", s.unit())
	s.await(before, said("stopped:"))
}

// wantFrozen waits until the kernel says of parts that they are frozen (1) or not (0).
func (s *service) wantFrozen(parts []string, want float64) {
	s.t.Helper()
	for limit := s.limit(); ; {
		different := slices.DeleteFunc(slices.Clone(parts), func(part string) bool { return s.count(part+"/cgroup.events", "frozen") == want })
		if len(different) == 0 {
			return
		}
		if limit.Err() != nil {
			s.t.Fatalf("frozen is not %v for %q", want, different)
		}
	}
}

// kept reports that the status tells of a generation that is frozen.
func (s *service) kept() bool {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "indrik", "status", "--json", s.name)
	s.must(err)
	var told struct {
		Kept *struct{ Frozen bool }
	}
	s.must(json.Unmarshal([]byte(out), &told))
	return told.Kept != nil && told.Kept.Frozen
}
