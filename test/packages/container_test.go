package packages

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const containedApplication = `import os, subprocess, sys, time

def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                name, state = f.read().split("(", 1)[1].rsplit(")", 1)
                yield int(pid), name, state.split()[0]
        except OSError:
            pass

def app(environ, start_response):
    path, body = environ["PATH_INFO"], ""
    if path == "/about":
        try:
            open("/srv/probe", "w").close()
            writable = True
        except OSError:
            writable = False
        master = [name for pid, name, state in processes() if pid == 1]
        body = f"uid={os.getuid()} writable={writable} first={master[0]}"
    elif path == "/orphan":
        # The shell leaves at once; its child has no parent then but PID 1.
        subprocess.run(["sh", "-c", "sleep 0.1 &"], stdout=subprocess.DEVNULL, check=True)
    elif path == "/settled":
        # Nothing announces that an orphan was reaped: look until there is none.
        for _ in range(100):
            odd = [name for pid, name, state in processes() if state == "Z" or name == "sleep"]
            if not odd:
                break
            time.sleep(0.05)
        body = ",".join(odd) or "clean"
    elif path == "/upload":
        body = str(len(environ["wsgi.input"].read()))
    elif path == "/slow":
        with open(os.environ["NOTE"], "w") as f:
            f.write("begun")
        while not os.path.exists(os.environ["NOTE"] + ".end"):
            time.sleep(0.01)
        body = "whole"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
`

// contain runs the binary as an image does: PID 1 of its own namespace, any user,
// no writable file system but one directory for the socket, no systemd. It returns
// the command and the pid of PID 1 as it is outside.
func contain(t *testing.T, dir string, args ...string) (*exec.Cmd, int) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root (namespaces need it)")
	}
	unshare := tool(t, "unshare", "util-linux")
	binary := filepath.Join(dir, "indrik")
	run(t, "cp", filepath.Join(project(t), "build/amd64/indrik"), binary)
	script := `set -eu
mount --make-rprivate /
mount --bind "$1/run" "$1/run"
mount -o remount,bind,ro /
for at in $(awk '{print $2}' /proc/mounts); do
	case $at in /|/proc*|/dev|/dev/*|/sys*|"$1/run") ;; *) umount -l "$at" 2>/dev/null || : ;; esac
done
cd "$1"
exec setpriv --reuid=12345 --regid=0 --clear-groups --no-new-privs --bounding-set=-all \
	env -i PATH=/usr/bin:/bin INDRIK_TMP_UPLOAD_DIR=/dev/shm \
	INDRIK_ACCESSLOG=- INDRIK_ACCESS_LOG_FORMAT=json NOTE="$1/run/note" "$1/indrik" "${@:2}"`
	cmd := exec.Command(unshare, append([]string{"--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "--",
		"bash", "-c", script, "bash", dir}, args...)...)
	start(t, cmd)
	for deadline := time.Now().Add(stepLimit); ; {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if pid, convErr := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && convErr == nil {
			return cmd, pid
		}
		if time.Now().After(deadline) {
			t.Fatal("unshare has no child")
		}
		time.Sleep(10 * time.Millisecond) // the kernel announces no children
	}
}

func containedDir(t *testing.T) string {
	t.Helper()
	built(t, "amd64/indrik")
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "run"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "contained.py"), []byte(containedApplication), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A user whom no passwd knows, nothing to write to, nobody above: it serves, and
// it reaps what applications leave to it.
func TestFirstProcessOfAContainer(t *testing.T) {
	dir := containedDir(t)
	socket := filepath.Join(dir, "run/s")
	cmd, first := contain(t, dir, "--bind", "unix:"+socket, "--umask", "0", "-w", "2", "contained:app")
	if got, want := get(t, socket, "/about"), "uid=12345 writable=False first=indrik"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 5 {
		get(t, socket, "/orphan")
	}
	if got := get(t, socket, "/settled"); got != "clean" {
		t.Errorf("left unreaped: %s", got)
	}
	// Larger than a message, so it needs a place to wait: /dev/shm, which every
	// container has; the Containerfile says so.
	const size = 4 << 20
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := run(t, "curl", "--silent", "--show-error", "--fail", "--unix-socket", socket, "--data-binary", "@"+body, "http://test/upload"); got != strconv.Itoa(size) {
		t.Errorf("an upload of %d bytes: the application got %s", size, got)
	}
	stop(t, cmd, first)
	text, err := os.ReadFile(cmd.Stdout.(*os.File).Name())
	if err != nil {
		t.Fatal(err)
	}
	var uploads int
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Method, Target string
			Status         int
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Method == "POST" && entry.Target == "/upload" && entry.Status == 200 {
			uploads++
		}
	}
	if uploads != 1 {
		t.Errorf("%d lines of JSON tell of the upload, want one:\n%s", uploads, text)
	}
}

// What kubelet does: probes, then TERM to PID 1 while requests are in flight. It is
// told at once to send nobody more, the requests are finished, and the container ends
// with 0, without a preStop hook.
func TestContainerDrains(t *testing.T) {
	dir := containedDir(t)
	socket, admin := filepath.Join(dir, "run/s"), filepath.Join(dir, "run/admin")
	cmd, first := contain(t, dir, "--bind", "unix:"+socket, "--admin-bind", "unix:"+admin, "--umask", "0", "contained:app")
	get(t, socket, "/about") // it is up
	for _, path := range []string{"/livez", "/readyz"} {
		if got := status(t, admin, path); got != "200" {
			t.Errorf("%s while it serves: %s", path, got)
		}
	}
	answer := make(chan string, 1)
	go func() { answer <- get(t, socket, "/slow") }()
	for deadline := time.Now().Add(stepLimit); ; {
		if _, err := os.Stat(filepath.Join(dir, "run/note")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the request did not begin")
		}
		time.Sleep(10 * time.Millisecond) // a file announces nothing
	}
	if err := syscall.Kill(first, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(stepLimit); status(t, admin, "/readyz") != "503"; {
		if time.Now().After(deadline) {
			t.Fatal("/readyz does not tell that it is leaving")
		}
	}
	if got := status(t, admin, "/livez"); got != "200" {
		t.Errorf("/livez while it drains: %s; kubelet would kill it", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "run/note.end"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "whole" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want status 0", err)
	}
}

// Where nothing at all can be written, only what has to be is refused, and said.
func TestContainerWithoutAPlaceForBodies(t *testing.T) {
	dir := containedDir(t)
	socket := filepath.Join(dir, "run/s")
	cmd, first := contain(t, dir, "--bind", "unix:"+socket, "--umask", "0", "--tmp-upload-dir", "/srv", "contained:app")
	get(t, socket, "/about") // it is up
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, make([]byte, 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := status(t, socket, "/upload", "--data-binary", "@"+body); got != "507" {
		t.Errorf("a body that finds no place: status %s, want 507", got)
	}
	get(t, socket, "/about")
	stop(t, cmd, first)
	if text, err := os.ReadFile(cmd.Stdout.(*os.File).Name()); err != nil || !strings.Contains(string(text), "/srv") {
		t.Errorf("nothing names the directory (%v):\n%s", err, text)
	}
}

// status is what a request over a Unix socket is answered with.
func status(t *testing.T, socket, path string, options ...string) string {
	t.Helper()
	return run(t, "curl", append([]string{"--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}",
		"--unix-socket", socket, "http://test" + path}, options...)...)
}

// What the manifest says to Indrik must be what this Indrik takes, and the probes must
// ask where it listens.
func TestKubernetesManifestFitsIndrik(t *testing.T) {
	root := project(t)
	python := filepath.Join(root, ".venv/bin/python")
	if _, err := os.Stat(python); err != nil {
		missing(t, ".venv (test/install makes it)")
	}
	type probe struct {
		HTTPGet struct{ Path, Port string } `json:"httpGet"`
	}
	var pod struct {
		Args  []string
		Ports []struct {
			Name          string
			ContainerPort int `json:"containerPort"`
		}
		StartupProbe, ReadinessProbe, LivenessProbe probe
	}
	text := run(t, python, "-c", `import json, sys, yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    if document["kind"] == "Deployment":
        print(json.dumps(document["spec"]["template"]["spec"]["containers"][0]))`, filepath.Join(root, "packaging/container/kubernetes.yaml"))
	if err := json.Unmarshal([]byte(text), &pod); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "project"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "project/wsgi.py"), []byte("def application(environ, start_response): pass\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, built(t, "amd64/indrik"), append([]string{"--check-config", "--python", python, "--chdir", dir}, pod.Args...)...)
	for _, port := range pod.Ports {
		if port.Name == "admin" && !strings.Contains(strings.Join(pod.Args, " "), fmt.Sprintf("--admin-bind 0.0.0.0:%d ", port.ContainerPort)) {
			t.Errorf("the port admin is %d, and Indrik is told %q", port.ContainerPort, pod.Args)
		}
	}
	for _, c := range []struct {
		probe
		path string
	}{{pod.StartupProbe, "/readyz"}, {pod.ReadinessProbe, "/readyz"}, {pod.LivenessProbe, "/livez"}} {
		if c.HTTPGet.Path != c.path || c.HTTPGet.Port != "admin" {
			t.Errorf("a probe asks %+v, want %s of the port admin", c.HTTPGet, c.path)
		}
	}
}

// Kubernetes' own schemas find misspelt and misplaced fields.
func TestKubernetesManifests(t *testing.T) {
	root := project(t)
	validate := filepath.Join(root, ".venv/bin/kubernetes-validate")
	if _, err := os.Stat(validate); err != nil {
		missing(t, ".venv/bin/kubernetes-validate (packaging/tools installs it)")
	}
	manifests := filepath.Join(root, "packaging/container/kubernetes.yaml")
	run(t, validate, "--strict", manifests)
	text, err := os.ReadFile(manifests)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), "periodSeconds", "periodSecond", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if exec.Command(validate, "--strict", broken).Run() == nil {
		t.Error("a misspelt field passed: the check checks nothing")
	}
}
