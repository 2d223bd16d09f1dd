package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// request is one of a gallery's; its answer must be the same from both servers.
type request struct {
	method, path string
	header       string // NAME: VALUE
	body         string
}

// The gallery: configuration files in the manner of well-known projects. Each is
// run by Gunicorn and by Indrik with the same command line; clients and hooks must
// see the same.
func TestGallery(t *testing.T) {
	t.Parallel()
	get := func(paths ...string) (all []request) {
		for _, path := range paths {
			all = append(all, request{method: "GET", path: path})
		}
		return all
	}
	for _, c := range []struct {
		name     string
		modules  []string
		requests []request
	}{
		{"whitenoise", []string{"django", "whitenoise"}, append(get("/static/site.css", "/static/none.css", "/scheme", "/items/none"),
			request{method: "GET", path: "/scheme", header: "X-Forwarded-Proto: https"}, request{method: "HEAD", path: "/static/site.css"})},
		{"ready_prefix", nil, get("/TITLE/MADE_FOR", "/fail")},
		{"post_fork", nil, []request{{method: "GET", path: "/X?q=1", header: "X-Trace: 7"}, {method: "POST", path: "/length", body: "12345"}}},
		{"prometheus", []string{"prometheus_client"}, get("/", "/", "/", "/", "/", "/", "/", "/metrics")},
		{"before_start", nil, get("/AGENT_STARTED/AGENT_LABEL/SECOND")},
	} {
		t.Run(c.name, func(t *testing.T) {
			needModules(t, append(c.modules, "gunicorn")...)
			theirs := exhibit(t, c.name, c.requests, []string{world.python, "-m", "gunicorn", "--no-control-socket"})
			ours := exhibit(t, c.name, c.requests, []string{world.binary, "--python", world.python})
			if !slices.Equal(ours.answers, theirs.answers) {
				t.Errorf("answers:\nindrik   %q\ngunicorn %q", ours.answers, theirs.answers)
			}
			if !slices.Equal(ours.trace, theirs.trace) {
				t.Errorf("hooks:\nindrik   %q\ngunicorn %q", ours.trace, theirs.trace)
			}
			if ours.status != 0 || theirs.status != 0 {
				t.Errorf("exit status: indrik %d, gunicorn %d", ours.status, theirs.status)
			}
			if len(ours.answers) == 0 || !strings.HasPrefix(ours.answers[0], "200") {
				t.Errorf("the first answer is %q", ours.answers)
			}
		})
	}
}

// seen is what clients and hooks saw of a server.
type seen struct {
	answers []string
	trace   []string // different lines of the hooks, sorted
	status  int
}

// exhibit runs a configuration of the gallery under a server from start to stop.
func exhibit(t *testing.T, name string, requests []request, server []string) (s seen) {
	t.Helper()
	dir := t.TempDir()
	socket, trace := filepath.Join(dir, "s"), filepath.Join(dir, "trace")
	gallery := filepath.Join(world.root, "test/e2e/testdata/gallery")
	args := append(server[1:], "-c", filepath.Join(gallery, name+".conf.py"), "-b", "unix:"+socket,
		"--graceful-timeout", "5") // a worker of Gunicorn's that is told to leave while it is forked does not hear it
	cmd := exec.Command(server[0], args...)
	cmd.Dir = gallery
	mark := fmt.Sprintf("%s%d.", markPrefix(os.Getpid()), services.Add(1))
	cmd.Env = append(os.Environ(), "PWD="+gallery, "GALLERY_TRACE="+trace, "PROMETHEUS_MULTIPROC_DIR="+dir, "E2E_DATABASE="+filepath.Join(dir, "db"), "E2E_STATIC="+dir,
		"PYTHONDONTWRITEBYTECODE=1", "GORACE=atexit_sleep_ms=0", markEnv+"="+mark)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		for _, pid := range marked(mark) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: gone by itself
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s", server[0], &said)
		}
	}()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	within(t, patience, "the server listens", func() bool {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	for _, r := range requests {
		s.answers = append(s.answers, r.ask(t, client))
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		s.status = cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s does not stop", server[0])
	}
	text, err := os.ReadFile(trace)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	s.trace = slices.Sorted(strings.SplitSeq(strings.TrimSpace(string(text)), "\n"))
	s.trace = slices.Compact(s.trace)
	return s
}

// ask makes the request and returns what of the answer may not differ.
func (r request) ask(t *testing.T, client *http.Client) string {
	t.Helper()
	out, err := http.NewRequest(r.method, "http://shop.test"+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if name, value, ok := strings.Cut(r.header, ": "); ok {
		out.Header.Set(name, value)
	}
	in, err := client.Do(out)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Body.Close() // read to its end
	body, err := io.ReadAll(in.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%d", in.StatusCode)
	for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control", "Etag", "Location", "X-Made"} {
		if values := in.Header.Values(name); len(values) > 0 && in.StatusCode < 500 {
			text += fmt.Sprintf(" %s=%q", name, values)
		}
	}
	if in.StatusCode >= 500 {
		return text // each has an error page of its own
	}
	return text + " " + string(body)
}
