package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What a mold has compiled is used by those after it, in the same service and in the next, and only if nobody else
// could have written it: it is executed with the rights of the service.
func TestWhatAMoldHasCompiledIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := launch{app: "plain:app", env: []string{"CACHE_DIRECTORY=" + dir, "PYTHONDONTWRITEBYTECODE="}}
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "python-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}

	s := serve(t, l)
	if s.compiledWasGiven(s.the("mold")) {
		t.Error("the first mold was given compiled code, of which there was none")
	}
	s.until("a file of compiled code", func() bool { return len(files()) == 1 && filepath.Ext(files()[0]) == "" })
	s.allow("mold ended")
	first := s.the("mold")
	s.kill(first, syscall.SIGKILL)
	s.until("another mold", func() bool {
		molds := s.children("mold")
		return len(molds) == 1 && molds[0] != first && s.compiledWasGiven(molds[0])
	})
	s.wants("/", 200, "app")
	s.stop()

	s = serve(t, l)
	if !s.compiledWasGiven(s.the("mold")) {
		t.Error("the mold of the next service was not given what was compiled")
	}
	s.wants("/", 200, "app")
	s.stop()

	if err := os.Chmod(files()[0], 0o622); err != nil {
		t.Fatal(err)
	}
	s = start(t, l)
	s.allow("compiled code not used")
	s.stderr.await(t, 1, "compiled code not used", "others may write to it")
	s.stderr.await(t, 1, "[INFO]", "indrik.master: serving:")
	if s.compiledWasGiven(s.the("mold")) {
		t.Error("a mold was given what others could have written")
	}
	s.stop()
}

// compiledWasGiven reports that a mold was started with compiled code.
func (s *service) compiledWasGiven(mold int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", mold))
	return err == nil && strings.Contains(string(line), "--compiled")
}
