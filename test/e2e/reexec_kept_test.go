package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a service was started with means the same to the next image: files relative to
// where it was started, the pid file, the error log, the control socket and its
// register of reloads, the admin listener and what it has counted.
func TestWhatAnExecKeeps(t *testing.T) {
	t.Parallel()
	w := install(t, later(t))
	if err := os.Mkdir(filepath.Join(w.dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.put("gunicorn.conf.py", "workers = 2\nraw_env = ['KEPT=1']\n")
	s := start(t, w.launch("-c", "gunicorn.conf.py", "--chdir", "sub", "--pythonpath", w.dir+","+world.apps, "--pid", "pid",
		"--error-logfile", "log", "--control-socket", "control", "--admin-bind", "unix:admin"))
	inSub := func(name string) string { return filepath.Join(w.dir, "sub", name) }
	logged := func(n int, part string) {
		t.Helper()
		s.until(fmt.Sprintf("%d times in the log: %s", n, part), func() bool {
			text, _ := os.ReadFile(inSub("log"))
			return strings.Count(string(text), part) >= n
		})
	}
	logged(1, "serving:")
	for n := range 2 {
		out, err := output(inSub(""), world.binary, "reload", "--socket", "control")
		if err != nil || !strings.Contains(out, "generation") {
			t.Fatalf("indrik reload: %q, %v", out, err)
		}
		logged(n+1, "reload done")
		s.kill(s.pid, syscall.SIGUSR2)
		logged(2*n+2, "reload done")
	}
	if text, err := os.ReadFile(inSub("pid")); err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(s.pid) {
		t.Errorf("the pid file says %q, %v", text, err)
	}
	status, err := output(inSub(""), world.binary, "status", "--json", "--socket", "control")
	if err != nil || !strings.Contains(status, `"generation": 5`) && !strings.Contains(status, `"generation":5`) {
		t.Errorf("indrik status: %q, %v", brief(status), err)
	}
	metrics, err := output(inSub(""), "curl", "-sS", "--unix-socket", "admin", "http://admin/metrics")
	if err != nil || !strings.Contains(metrics, "reloads_total{result=\"done\"} 4") {
		t.Errorf("metrics after four reloads: %v\n%s", err, metrics)
	}
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
	for _, name := range []string{"pid", "control", "admin"} {
		if _, err := os.Lstat(inSub(name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}

// Settings that indrik.run handed over in a descriptor are there for the next image.
func TestReexecOfAnEmbeddedService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := "import indrik\nindrik.run('mine:app', bind='127.0.0.1:0', workers=1, keepalive=77)\n"
	for name, text := range map[string]string{"mine.py": embeddedApp, "start.py": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := embedded(t, dir, "start.py")
	for n := range 2 {
		s.exchange(n + 1)
		s.wants("/", 200, "mine")
		s.hangUp()
	}
	s.stop()
}

// systemd is told of one reload, from the beginning in the old image to the end in the
// new one, and the watchdog is petted all the while.
func TestAnExecTellsSystemd(t *testing.T) {
	t.Parallel()
	w := install(t, later(t))
	dir, err := os.MkdirTemp("", "nfy") // short: the path must fit sockaddr_un
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a socket in the temporary directory harms nobody
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	said := func(until string) (all []string) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(patience)) // sockets have deadlines
		for buffer := make([]byte, 8192); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				t.Fatalf("systemd was not told %q, but %q", until, all)
			}
			if all = append(all, string(buffer[:n])); strings.Contains(all[len(all)-1], until) {
				return all
			}
		}
	}
	l := w.launch("-w", "1")
	l.env = []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "n"), "WATCHDOG_USEC=3000000"}
	s := serve(t, l)
	said("READY=1")
	w.put("version.py", "import time\ntime.sleep(2)\nVERSION = '2'\n")
	s.kill(s.pid, syscall.SIGUSR2)
	said("RELOADING=1\nMONOTONIC_USEC=")
	during := strings.Join(said("READY=1"), "\n")
	for part, want := range map[string]int{"RELOADING=1": 0, "READY=1": 1, "trying the new binary": 0, "generation 2 ready": 1} {
		if n := strings.Count(during, part); n < want || want == 0 && part == "RELOADING=1" && n > 0 {
			t.Errorf("during the reload systemd was told %q %d times: %q", part, n, during)
		}
	}
	if !strings.Contains(during, "WATCHDOG=1") {
		t.Errorf("the watchdog was not petted: %q", during)
	}
	s.stderr.await(t, 1, "reload done")
	s.stop()
}
