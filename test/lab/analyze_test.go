package lab

import (
	"regexp"
	"strconv"
	"testing"
)

// mostExposed is the score of `systemd-analyze security` that the units must
// not exceed. A directive that is dropped costs 0.2.
const mostExposed = 2.0

// systemd finds nothing to complain of in the installed units.
func TestUnitsAreVerified(t *testing.T) {
	t.Parallel()
	s := install(t, "verify", config{})
	out, err := s.lab.Run(s.limit(), "sh", "-c", "systemd-analyze verify --man=no "+s.unit()+" "+s.socket()+" 2>&1")
	if err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// Each directive of the hardening is one that somebody could drop by accident.
func TestExposureStaysLow(t *testing.T) {
	t.Parallel()
	s := install(t, "exposure", config{})
	out, err := s.lab.Run(s.limit(), "systemd-analyze", "security", "--no-pager", s.unit())
	s.must(err)
	line := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if line == nil {
		t.Fatalf("no overall exposure in what systemd-analyze security says:\n%s", out)
	}
	score, err := strconv.ParseFloat(line[1], 64)
	s.must(err)
	t.Log(line[0])
	if score > mostExposed {
		t.Errorf("exposure is %v, want at most %v:\n%s", score, mostExposed, out)
	}
}
