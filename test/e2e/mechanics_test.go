package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Without sendfile(2) a file must arrive just as well. Which of the two was done
// is seen in the kernel's count of reads (proc(5), io): copies are 64 KiB each.
func TestFilesWithoutSendfile(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		env   string
		reads bool
	}{
		{"by default", nil, "", false},
		{"with the option", []string{"--no-sendfile"}, "", true},
		{"with the variable", nil, "SENDFILE=no", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := launch{app: "plain", args: append(c.args, "--static", "/files="+dir)}
			if c.env != "" {
				l.env = []string{c.env}
			}
			s := serve(t, l)
			if status, body := s.get("/files/big"); status != 200 || len(body) != size {
				t.Errorf("got %d and %d bytes", status, len(body))
			}
			if reads := readsOf(t, s.the("gateway")); (reads >= size/(64<<10)) != c.reads {
				t.Errorf("the gateway has made %d reads", reads)
			}
			s.stop()
		})
	}
}

// The setting spew shows every line of the application, and none of ours.
func TestSpew(t *testing.T) {
	t.Parallel()
	s := serve(t, launch{app: "plain", args: []string{"--spew"}})
	s.wants("/", 200, "hello")
	s.stop()
	traced := 0
	for _, line := range s.stdout.end(t) {
		if strings.HasPrefix(line, "plain:") {
			traced++
		}
		if strings.HasPrefix(line, "indrik.") {
			t.Errorf("a line of ours: %s", line)
		}
	}
	if traced < 5 {
		t.Errorf("%d lines of the application were shown", traced)
	}
}

// readsOf is how many calls that read a process has made; a sendfile(2) counts as
// one too.
func readsOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "syscr: ")
	count, err := strconv.Atoi(strings.SplitN(after, "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return count
}
