package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// stepLimit bounds every single step of a test: a start, a stop, a request.
	stepLimit = 60 * time.Second
	// venv is where the virtual environment stands in the lab, where a service
	// with ProtectHome= can read it wherever the project is.
	venv = "/srv/venv"
)

// product is installed into the lab once per test run.
var product struct {
	once sync.Once
	err  error
}

// A service is one instance of indrik@.service in the lab.
type service struct {
	t    *testing.T
	lab  *Lab
	name string
	from string // place in the journal at which this test began
}

// config is what an administrator writes about an instance.
type config struct {
	app     string // APP, webapp:app if empty
	options string // OPTIONS, after --python
	toml    string // NAME.toml instead of NAME.env, after python
	whole   string // NAME.toml instead of NAME.env, all of it: for what is not Python
	service string // drop-in of the service
	socket  string // drop-in of the socket
}

// install makes an instance that nothing has started yet. It is stopped and its
// journal is shown, if the test failed, at the end of the test.
func install(t *testing.T, name string, c config) *service {
	t.Helper()
	l := booted(t)
	product.once.Do(func() { product.err = installProduct(l) })
	if product.err != nil {
		t.Fatal(product.err)
	}
	s := &service{t: t, lab: l, name: name}
	cursor, err := l.Cursor(s.limit())
	s.must(err)
	s.from = cursor
	if c.app == "" {
		c.app = "webapp:app"
	}
	switch {
	case c.whole != "":
		s.must(l.WriteFile("/etc/indrik/"+name+".toml", []byte(c.whole), 0o644))
	case c.toml != "":
		s.must(l.WriteFile("/etc/indrik/"+name+".toml", fmt.Appendf(nil, "python = '%s/bin/python'\n%s", venv, c.toml), 0o644))
	default:
		env := fmt.Sprintf("APP=%s\nOPTIONS=--python %s/bin/python %s\n", c.app, venv, c.options)
		s.must(l.WriteFile("/etc/indrik/"+name+".env", []byte(env), 0o644))
	}
	s.must(l.CopyTree("testdata/app", "/srv/"+name))
	for unit, text := range map[string]string{s.unit(): c.service, s.socket(): c.socket} {
		if text != "" {
			s.must(l.WriteFile("/etc/systemd/system/"+unit+".d/test.conf", []byte(text), 0o644))
		}
	}
	s.systemctl("daemon-reload")
	t.Cleanup(s.remove)
	return s
}

// installProduct does what a package would: the binary and the units, byte for
// byte, and a virtual environment for the applications.
func installProduct(l *Lab) error {
	project, err := Project()
	if err != nil {
		return err
	}
	if err := l.CopyFile(filepath.Join(project, "bin/indrik"), "/usr/bin/indrik", 0o755); err != nil {
		return fmt.Errorf("%w (make build makes it)", err)
	}
	for unit, at := range map[string]string{
		"indrik@.service":      "/etc/systemd/system/",
		"indrik@.socket":       "/etc/systemd/system/",
		"indrik.slice":         "/etc/systemd/system/",
		"indrik.target":        "/etc/systemd/system/",
		"user/indrik@.service": "/etc/systemd/",
		"user/indrik@.socket":  "/etc/systemd/",
		"sysusers.conf":        "/etc/sysusers.d/indrik-",
		"tmpfiles.conf":        "/etc/tmpfiles.d/indrik-",
	} {
		if err := l.CopyFile(filepath.Join(project, "units", unit), at+unit, 0o644); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(project, ".venv/lib/python3*/site-packages"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("find site-packages of .venv: found %q, %v (test/install makes it)", packages, err)
	}
	// A bind mount, because the service is not to see the project itself.
	script := fmt.Sprintf(`systemd-sysusers
systemd-tmpfiles --create /etc/tmpfiles.d/indrik-tmpfiles.conf
/usr/bin/python3 -m venv --without-pip %[1]s
mount --bind '%[2]s' "$(echo %[1]s/lib/python3*/site-packages)"
%[1]s/bin/python -c 'import flask'`, venv, Inside+strings.TrimPrefix(packages[0], project))
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	_, err = l.Run(ctx, "sh", "-euc", script)
	return err
}

func (s *service) unit() string   { return "indrik@" + s.name + ".service" }
func (s *service) socket() string { return "indrik@" + s.name + ".socket" }
func (s *service) path() string   { return "/run/indrik/" + s.name + ".sock" }

func (s *service) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) limit() context.Context { return limited(s.t, stepLimit) }

// systemctl must succeed.
func (s *service) systemctl(args ...string) {
	s.t.Helper()
	_, err := s.lab.Run(s.limit(), append([]string{"systemctl"}, args...)...)
	s.must(err)
}

// systemctlLate is for the end of a test, when its context is over.
func (s *service) systemctlLate(args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	if _, err := s.lab.Run(ctx, append([]string{"systemctl"}, args...)...); err != nil {
		s.t.Errorf("clean up: %v", err)
	}
}

// property of the service, as `systemctl show` has it.
func (s *service) property(name string) string {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "systemctl", "show", "--value", "--property="+name, s.unit())
	s.must(err)
	return strings.TrimSpace(out)
}

// wantProperty compares a property of the service.
func (s *service) wantProperty(name, want string) {
	s.t.Helper()
	if got := s.property(name); got != want {
		s.t.Errorf("%s of %s: got %q, want %q", name, s.unit(), got, want)
	}
}

// mainPID is the master's pid inside the lab.
func (s *service) mainPID() int {
	s.t.Helper()
	pid, err := strconv.Atoi(s.property("MainPID"))
	if err != nil || pid == 0 {
		s.t.Fatalf("MainPID of %s: got %d, %v, want a running master", s.unit(), pid, err)
	}
	return pid
}

// gatewayPID is the pid inside the lab of the master's child that is the gateway.
func (s *service) gatewayPID() int {
	s.t.Helper()
	out, err := s.lab.Run(s.limit(), "pgrep", "--parent", strconv.Itoa(s.mainPID()), "--full", "indrik.*gateway")
	s.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		s.t.Fatalf("find the gateway: pgrep said %q", out)
	}
	return pid
}

func (s *service) signal(name string, pid int) {
	s.t.Helper()
	_, err := s.lab.Run(s.limit(), "kill", "-s", name, strconv.Itoa(pid))
	s.must(err)
}

// await waits for an entry of the unit's journal after a cursor.
func (s *service) await(after string, match func(Entry) bool) Entry {
	s.t.Helper()
	e, err := s.lab.Await(s.limit(), s.unit(), after, match)
	s.must(err)
	return e
}

// said matches entries that contain a text.
func said(text string) func(Entry) bool {
	return func(e Entry) bool { return strings.Contains(e.Message, text) }
}

// identified matches systemd's own entries by their documented identity.
func identified(id string) func(Entry) bool {
	return func(e Entry) bool { return e.MessageID == id }
}

// get makes one request over the unit's Unix socket, without a second try, and
// wants status 200 and a body.
func (s *service) get(path, want string) {
	s.t.Helper()
	s.getFrom("unix", s.path(), path, want)
}

func (s *service) getFrom(network, address, path, want string) {
	s.t.Helper()
	body, err := s.lab.fetch(s.limit(), network, address, path)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != want {
		s.t.Fatalf("GET %s: got body %q, want %q", path, body, want)
	}
}

// fetch makes one request and returns the whole body of its 200 response.
func (l *Lab) fetch(ctx context.Context, network, address, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lab.test"+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := l.Client(network, address).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("GET %s: after %q: %w", path, body, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
	}
	return string(body), nil
}

// wantCleanLog demands that this test's run left no warning or error.
func (s *service) wantCleanLog() {
	s.t.Helper()
	entries, err := s.lab.Journal(s.limit(), s.unit(), s.from)
	s.must(err)
	for _, e := range entries {
		if e.Priority != "" && e.Priority <= "4" {
			s.t.Errorf("unexpected in the journal, priority %s: %s", e.Priority, e.Message)
		}
	}
}

// remove stops the instance and forgets it. The test's context is over by now.
func (s *service) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*stepLimit)
	defer cancel()
	if s.t.Failed() {
		s.show(ctx)
	}
	if _, err := s.lab.Run(ctx, "systemctl", "stop", s.socket(), s.unit()); err != nil {
		s.t.Errorf("clean up: %v", err)
	}
	_, _ = s.lab.Run(ctx, "systemctl", "reset-failed", s.socket(), s.unit()) // fails if nothing failed
	left := []string{"/etc/indrik/" + s.name + ".env", "/etc/indrik/" + s.name + ".toml"}
	for _, unit := range []string{s.unit(), s.socket()} {
		left = append(left, "/etc/systemd/system/"+unit+".d/test.conf")
	}
	for _, name := range left {
		if err := s.lab.Remove(name); err != nil {
			s.t.Errorf("clean up: %v", err)
		}
	}
}

// show puts into the test's log what a person would look at first.
func (s *service) show(ctx context.Context) {
	if entries, err := s.lab.Journal(ctx, s.unit(), s.from); err == nil {
		for _, e := range entries {
			s.t.Logf("journal: %s [%s] %s", e.Time.Format("15:04:05.000"), e.PID, e.Message)
		}
	}
	out, _ := s.lab.Run(ctx, "systemctl", "status", "--no-pager", "--lines=0", s.unit(), s.socket()) // 3: not running
	fmt.Fprintln(os.Stderr, out)
}
