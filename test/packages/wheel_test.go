package packages

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const flaskApplication = `import sys
from flask import Flask
app = Flask(__name__)
@app.get("/")
def where():
    return sys.prefix
`

// pip puts the binary into an empty virtual environment, without a network, and
// it serves Flask with the Python of that environment.
func TestWheel(t *testing.T) {
	wheel := built(t, "wheel/indrik-*x86_64.whl")
	python := tool(t, "python3", "python3-venv")
	if system := "/usr/bin/python3"; exec.Command(system, "-c", "import ensurepip").Run() == nil {
		python = system
	}
	dir := t.TempDir()
	venv := filepath.Join(dir, "venv")
	run(t, python, "-m", "venv", venv)
	run(t, filepath.Join(venv, "bin/pip"), "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel)
	if said := run(t, filepath.Join(venv, "bin/pip"), "list", "--format=freeze"); !strings.Contains(said, "indrik==") {
		t.Errorf("pip list: %s", said)
	}
	run(t, filepath.Join(venv, "bin/pip"), "check")

	// Flask comes from the environment of the tests, there being no network.
	packages, err := filepath.Glob(filepath.Join(project(t), ".venv/lib/python3*/site-packages"))
	if err != nil || len(packages) != 1 {
		missing(t, ".venv (test/install makes it)")
	}
	if err := os.WriteFile(filepath.Join(dir, "shop.py"), []byte(flaskApplication), 0o644); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "shop.sock")
	cmd := exec.Command(filepath.Join(venv, "bin/indrik"), "--bind", "unix:"+socket, "--pythonpath", packages[0], "shop:app")
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
	start(t, cmd)
	if got := get(t, socket, "/"); got != venv {
		t.Errorf("the application runs in %s, want the virtual environment %s", got, venv)
	}
	stop(t, cmd, cmd.Process.Pid)

	run(t, filepath.Join(venv, "bin/pip"), "uninstall", "--quiet", "--yes", "indrik")
	if _, err := os.Stat(filepath.Join(venv, "bin/indrik")); err == nil {
		t.Error("pip uninstall left the binary")
	}
}

// The wheel for another machine cannot be run here; pip must refuse it, and not
// install a binary that does nothing.
func TestWheelForAnotherMachineIsRefused(t *testing.T) {
	wheel := built(t, "wheel/indrik-*aarch64.whl")
	venv := filepath.Join(t.TempDir(), "venv")
	run(t, "/usr/bin/python3", "-m", "venv", venv)
	out, err := exec.Command(filepath.Join(venv, "bin/pip"), "install", "--no-index", wheel).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not a supported wheel on this platform") {
		t.Errorf("pip install: %v\n%s", err, out)
	}
}

// start starts a server that ends with the test, and shows what it said if that
// failed.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone already when all went well
		if cmd.ProcessState == nil {
			_ = cmd.Wait()
		}
		if t.Failed() {
			text, _ := os.ReadFile(said.Name())
			t.Logf("%s said:\n%s", cmd, text)
		}
	})
}

// stop asks a server to leave and wants status 0.
func stop(t *testing.T, cmd *exec.Cmd, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want status 0", err)
	}
}

// get makes one request over a Unix socket, once somebody listens there.
func get(t *testing.T, socket, path string) string {
	t.Helper()
	deadline := time.Now().Add(stepLimit)
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // a socket announces nothing
	}
	client := http.Client{Timeout: stepLimit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Get("http://test" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", path, resp.Status, err, body)
	}
	return string(body)
}
