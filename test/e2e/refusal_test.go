package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		app  string
		args []string
		says string
	}{
		"nearest option":   {"plain", []string{"--worker", "2"}, "--workers"},
		"swapped letters":  {"plain", []string{"--bnid", ":1"}, "--bind"},
		"not a number":     {"plain", []string{"-w", "two"}, "two"},
		"no workers":       {"plain", []string{"-w", "0"}, "workers"},
		"unknown class":    {"plain", []string{"-k", "snyc"}, "sync"},
		"no application":   {"", nil, "MODULE:APP"},
		"two applications": {"plain", []string{"other"}, "other"},
		"bad variable":     {"plain", []string{"-e", "NOVALUE"}, "NOVALUE"},
		"bad timeout":      {"plain", []string{"-t", "-1"}, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			s := refused(t, launch{app: tc.app, args: tc.args}, 2)
			s.stderr.await(t, 1, "indrik: ")
			if said := s.stderr.String(); !strings.Contains(said, tc.says) {
				t.Errorf("said %q, want a word of %q", said, tc.says)
			}
		})
	}
	t.Run("bad address", func(t *testing.T) {
		s := refused(t, launch{app: "plain", bind: []string{"127.0.0.1:99999"}}, 2)
		s.stderr.await(t, 1, "indrik: ", "99999")
	})
}

func TestADirectoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := refused(t, launch{app: "plain", args: []string{"--chdir", "/nonexistent/dir"}}, 1)
	s.stderr.await(t, 1, "indrik: ", "/nonexistent/dir")
}

// What cannot be loaded today cannot be loaded in a second either: the reason
// is told once, however many workers were wanted, and nothing is tried again.
func TestAnApplicationThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		app  string
		says []string // each on exactly one line
	}{
		{"no_such_module", []string{"ModuleNotFoundError: No module named 'no_such_module'"}},
		{"bad_import", []string{"Traceback (most recent call last)", "bad_import.py", "import no_such_module_anywhere"}},
		{"bad_syntax", []string{"bad_syntax.py", "def application"}},
		{"plain:no_such_name", []string{"no attribute 'no_such_name'"}},
		{"plain:Box.missing.app", []string{"no attribute 'missing'"}},
		{"plain:not_callable", []string{"'int'"}},
		{"plain:nothing", []string{"None"}},
		{"plain:factory(open('x'))", []string{"literal"}},
		{"plain.py", []string{"plain.py"}},
	} {
		for _, args := range []string{"-w 1", "-w 2", "-w 2 --preload"} {
			t.Run(tc.app+" "+args, func(t *testing.T) {
				begin := time.Now()
				s := start(t, launch{app: tc.app, args: strings.Fields(args)})
				s.allow("Traceback (most recent", "indrik: ")
				s.expect(4)
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				for _, says := range tc.says {
					told := 0
					for _, line := range s.stderr.end(t) {
						// The last line repeats the reason, as a summary.
						if strings.Contains(line, says) && !strings.HasPrefix(line, "indrik: ") {
							told++
						}
					}
					if told != 1 {
						t.Errorf("%q was told %d times, want once", says, told)
					}
				}
				if n := s.stderr.count("indrik: load " + tc.app); n != 1 {
					t.Errorf("the complaint came %d times, want once", n)
				}
			})
		}
	}
}

func TestAWorkerThatCannotBoot(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ app, says string }{
		{"bad_raise", "RuntimeError: not today"},
		{"bad_sysexit", "wrong configuration"},
		{"bad_exit", "7"},
		{"bad_kill", "SIGKILL"},
	} {
		for _, args := range []string{"-w 1", "-w 2", "-w 2 --preload"} {
			t.Run(tc.app+" "+args, func(t *testing.T) {
				begin := time.Now()
				s := start(t, launch{app: tc.app, args: strings.Fields(args)})
				s.allow("Traceback (most recent", "indrik: ", "worker ended")
				s.expect(3)
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				if n := s.stderr.count("Traceback"); n > 1 {
					t.Errorf("the traceback came %d times", n)
				}
				s.stderr.await(t, 1, "indrik: ", tc.says)
			})
		}
	}
}
