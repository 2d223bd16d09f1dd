package pidfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// no such process can be alive: it is past the largest pid_max (2^22).
const nobody = 1 << 23

func TestPIDFile(t *testing.T) {
	self := os.Getpid()
	for _, c := range []struct {
		name, before string // what is in the file; "" for no file
		refused      bool
	}{
		{name: "none yet"},
		{name: "stale", before: fmt.Sprintln(nobody)},
		{name: "not a number", before: "what\n"},
		{name: "ours, from before a re-execution", before: fmt.Sprintln(self)},
		{name: "of a living process", before: fmt.Sprintln(os.Getppid()), refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			if c.before != "" {
				if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := Write(path, self)
			if (err != nil) != c.refused {
				t.Fatalf("got %v, want refused: %v", err, c.refused)
			}
			if c.refused {
				if !strings.Contains(err.Error(), strings.TrimSpace(c.before)) {
					t.Errorf("error %q does not name the process", err)
				}
				return
			}
			text, err := os.ReadFile(path)
			if err != nil || string(text) != fmt.Sprintln(self) {
				t.Errorf("content: got %q, %v; want our pid", text, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("mode: got %v, %v; want 0644", info.Mode(), err)
			}
			f.Remove()
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("after remove: got %v, want no file", err)
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A file that names somebody else by now is theirs.
func TestPIDFileOfAnotherStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	f, err := Write(path, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("got %v, want the file to stay", err)
	}
}
