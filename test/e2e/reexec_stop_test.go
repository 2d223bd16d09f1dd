package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A service that is stopped while a new binary is tried leaves nothing behind: not the
// mold either in which that loads the application, which hears nothing before it is done.
func TestAStopInTheMiddleOfAPreflight(t *testing.T) {
	t.Parallel()
	w := install(t, world.binary)
	s := serve(t, w.launch("-w", "1", "--preload"))
	notes := filepath.Join(w.dir, "importing")
	w.put("version.py", fmt.Sprintf("import os, time\nopen(%q, 'w').write(str(os.getpid()))\ntime.sleep(60)\nVERSION = '2'\n", notes))
	s.kill(s.pid, syscall.SIGUSR2)
	mold := 0
	s.until("the application is being loaded", func() bool {
		mold = number(t, notes)
		return mold != 0
	})
	if parent(mold) == s.pid {
		t.Errorf("mold %d is a child of the master already", mold)
	}
	s.stop()
	if !dead(mold) {
		t.Errorf("mold %d lives", mold)
	}
}

// number reads one from a file; 0 if it is not there yet.
func number(t testing.TB, path string) (n int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(text), &n) // not yet written
	return n
}
