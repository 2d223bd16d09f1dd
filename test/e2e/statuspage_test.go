package e2e

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var renewed = regexp.MustCompile(`data-renewed="(\d+)"`)

// The status page works in a browser under its own strict policy: its style and
// script are taken, and it renews itself.
func TestTheStatusPageInABrowser(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	s := serve(t, launch{app: "plain", args: []string{"-w", "2", "--name", "shop & <co>", "--admin-bind", "127.0.0.1:0"}})
	for range 5 {
		s.wants("/", 200, "hello")
	}
	address := field(s.stderr.await(t, 1, "indrik.master: admin listening:"), "address")
	dom, complaints := look(t, chromium, "http://"+strings.Replace(address, "127.0.0.1", "localhost", 1)+"/status")
	for _, want := range []string{"<h1>shop &amp; &lt;co&gt;</h1>", "serving: 2 workers", `<span class="phase idle">idle</span>`, strconv.Itoa(s.pid)} {
		if !strings.Contains(dom, want) {
			t.Errorf("%q is not on the page:\n%s", want, dom)
		}
	}
	if m := renewed.FindStringSubmatch(dom); m == nil || m[1] == "0" {
		t.Errorf("the page did not renew itself:\n%s", dom)
	}
	if strings.Contains(complaints, "Content Security Policy") || strings.Contains(complaints, "Uncaught") {
		t.Errorf("the browser complains:\n%s", complaints)
	}
	s.stop()
}

// look has Chromium show a page for some seconds of its own time, and returns what
// it had become then and what the browser said.
func look(t *testing.T, chromium, url string) (dom, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	defer cancel()
	args := []string{
		"--headless=new", "--dump-dom", "--virtual-time-budget=7000", "--enable-logging=stderr", "--user-data-dir=" + t.TempDir(),
		"--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
	}
	if os.Getuid() == 0 {
		args = append(args, "--no-sandbox") // root may not have one
	}
	cmd := exec.CommandContext(ctx, chromium, append(args, url)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "DBUS_SESSION_BUS_ADDRESS=disabled:")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // for helpers that hold its output
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH: no helper is left
	}
	if err != nil {
		t.Fatalf("chromium %s: %v\n%s\n%s", url, err, out, &log)
	}
	return string(out), log.String()
}
