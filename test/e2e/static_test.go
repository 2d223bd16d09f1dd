package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Files are there whatever the workers do: the only one is busy here.
func TestFilesAreServedWithoutAWorker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.css"), []byte("a {}"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, launch{app: "plain", args: []string{"-w", "1", "--static", "/static=" + dir}})
	busy := s.client()
	s.allow("worker ended")
	busy.send("GET /hold/busy/600 HTTP/1.1\r\nHost: x\r\n\r\n")
	s.note("busy")
	for range 10 {
		s.wants("/static/app.css", 200, "a {}")
	}
	if status, _ := s.get("/static/none"); status != 404 {
		t.Errorf("a missing file got %d", status)
	}
	s.kill(s.the("worker"), syscall.SIGKILL)
	if a := busy.receive("GET"); a.status != 502 {
		t.Errorf("the request that was held all the time got %d", a.status)
	}
	s.wants("/cwd", 200, world.apps)
	s.stop()
}

func TestADirectoryOfFilesThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := refused(t, launch{app: "plain", args: []string{"--static", "/static=/nonexistent/files"}}, 2)
	s.stderr.await(t, 1, "indrik: ", "--static", "/nonexistent/files")
}
