package programs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExecutable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"runs": 0o755, "does-not": 0o644, "bin/also": 0o700} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"PATH=/nonexistent:bin:" + dir}
	for name, want := range map[string]string{
		"./runs":                    "runs",
		"runs":                      "runs",
		"also":                      "bin/also",
		filepath.Join(dir, "runs"):  "runs",
		"./does-not":                "",
		"does-not":                  "",
		"./bin":                     "",
		"bin":                       "",
		"./missing":                 "",
		filepath.Join(dir, "bin/x"): "",
	} {
		got, err := executable(name, dir, env)
		if want == "" {
			if !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), strings.TrimPrefix(name, "./")) {
				t.Errorf("%s: got %q, %v; want an error that names it", name, got, err)
			}
		} else if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: got %q, %v; want %s", name, got, err, want)
		}
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	got := overlay([]string{"A=1", "AB=2", "A=3"}, []string{"A=4", "C=5", "C=6"})
	if want := []string{"AB=2", "A=4", "C=6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The store keeps what it is given, up to its limit, without the same socket twice.
func TestStore(t *testing.T) {
	t.Parallel()
	s := make(store)
	t.Cleanup(s.close)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := unix.FcntlInt(uintptr(pair[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		fd, refused, kept int
		name              string
	}{{pair[0], 0, 1, "a"}, {again, 0, 1, "a"}, {memfd(t), 0, 2, "b"}, {memfd(t), 1, 2, "b"}} {
		n := notice{fds: []int{c.fd}, name: c.name}
		if refused := s.add(3, &n, 2); refused != c.refused || len(s[3]) != c.kept || n.fds != nil {
			t.Errorf("%d: refused %d, kept %d, want %d and %d", i, refused, len(s[3]), c.refused, c.kept)
		}
	}
	s.sift(3)
	if len(s[3]) != 2 {
		t.Errorf("%d kept, want both", len(s[3]))
	}
	_ = unix.Close(pair[1]) // the other end
	s.sift(3)
	if len(s[3]) != 1 || s[3][0].name != "b" {
		t.Errorf("kept %+v, want only what has not hung up", s[3])
	}
	s.remove(3, "b")
	if len(s[3]) != 0 || len(s[4]) != 0 {
		t.Errorf("kept %+v, want nothing", s)
	}
}

func memfd(t *testing.T) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
