package master

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/indrik/indrik/internal/testproc"
	"github.com/indrik/indrik/pool"
)

// patience is the limit of every wait for something that must happen.
const patience = 30 * time.Second

// service is a master that runs as a child of the test.
type service struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	client  *http.Client
	// lawful are the warnings and errors that the test provokes.
	lawful []string

	mu     sync.Mutex
	lines  []string
	more   chan struct{} // closed when a line came, and replaced
	silent chan struct{} // closed when nobody holds its stderr any more
	ended  chan struct{}
	status int
}

// begin starts a master for an app of testdata/apps with one worker, unless
// the settings say otherwise.
func begin(t *testing.T, app string, set map[string][]string, env ...string) *service {
	t.Helper()
	apps, err := filepath.Abs("testdata/apps")
	if err != nil {
		t.Fatal(err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no python3 in PATH")
	}
	o := order{App: app, Env: env, Settings: map[string][]string{
		"bind": {"127.0.0.1:0"}, "python": {python}, "pythonpath": {apps},
		"raw_env": {"PYTHONDONTWRITEBYTECODE=1"},
	}}
	for name, texts := range set {
		o.Settings[name] = texts
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "order")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, more: make(chan struct{}), silent: make(chan struct{}), ended: make(chan struct{})}
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(s.show) // runs last: after everything was killed
	s.cmd = testproc.Start(t, "master", file, writer)
	_ = writer.Close() // the child has its own
	go s.read(reader)
	// Not by cmd, which testproc needs to end the rest of the group.
	process, err := pool.Watch(s.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		exit := <-process.Ended()
		s.status = exit.Status
		close(s.ended)
	}()
	return s
}

func (s *service) read(from io.ReadCloser) {
	defer close(s.silent)
	defer from.Close()
	for lines := bufio.NewScanner(from); lines.Scan(); {
		s.mu.Lock()
		s.lines = append(s.lines, lines.Text())
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
	}
}

func (s *service) show() {
	if s.t.Failed() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Logf("the master said:\n%s", strings.Join(s.lines, "\n"))
	}
}

// dump makes a master that does not go on say where it stands.
func (s *service) dump() {
	_ = syscall.Kill(s.cmd.Process.Pid, syscall.SIGABRT)
	select {
	case <-s.ended:
	case <-time.After(time.Second):
	}
}

// entry is a log line, or a raw line as message.
type entry map[string]any

func (e entry) text(key string) string { return fmt.Sprint(e[key]) }
func (e entry) pid() int               { n, _ := e["pid"].(float64); return int(n) }

func (s *service) entries() (all []entry, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		e := entry{}
		if json.Unmarshal([]byte(line), &e) != nil {
			e = entry{"@message": line, "raw": true}
		}
		all = append(all, e)
	}
	return all, s.more
}

// await waits for the nth log line (from 1) with this message.
func (s *service) await(message string, nth int) entry {
	s.t.Helper()
	limit := time.After(patience)
	for {
		all, more := s.entries()
		count := 0
		for _, e := range all {
			if e.text("@message") == message {
				if count++; count == nth {
					return e
				}
			}
		}
		select {
		case <-more:
		case <-limit:
			s.dump()
			s.t.Fatalf("no %q number %d in the log", message, nth)
		}
	}
}

// serving waits until the service says so, and returns itself.
func (s *service) serving() *service {
	s.t.Helper()
	s.address = "http://" + s.await("listening", 1).text("address")
	s.await("serving", 1)
	return s
}

// get returns the status and body of a request; status 0 for no response.
func (s *service) get(path string) (int, string) {
	response, err := s.client.Get(s.address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// worker returns the pid of a worker, by asking it.
func (s *service) worker() int {
	s.t.Helper()
	status, body := s.get("/")
	var pid int
	if _, err := fmt.Sscan(body, &pid); err != nil || status != 200 {
		s.t.Fatalf("got status %d, %q; want 200 and a pid", status, body)
	}
	return pid
}

func (s *service) signal(pid int, sig syscall.Signal) {
	s.t.Helper()
	if pid <= 1 {
		s.t.Fatalf("signal %v to %d: kill(2) would mean more than one process", sig, pid)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

// killWorker kills the only worker and waits for its end: a dying process may
// still take a request, which is then lost with it.
func (s *service) killWorker() (pid int) {
	s.t.Helper()
	pid = s.worker()
	s.signal(pid, syscall.SIGKILL)
	s.await("worker ended", 1)
	return pid
}

func (s *service) signalMaster(sig syscall.Signal) { s.t.Helper(); s.signal(s.cmd.Process.Pid, sig) }

// expect waits for the end of the master, and checks its exit status, that it
// left nothing behind and that nothing unexpected is in its log.
func (s *service) expect(status int) {
	s.t.Helper()
	for what, end := range map[string]chan struct{}{"end": s.ended, "close its stderr": s.silent} {
		select {
		case <-end:
		case <-time.After(patience):
			s.dump()
			s.t.Fatalf("the master did not %s", what)
		}
	}
	if s.status != status {
		s.t.Errorf("exit status: got %d, want %d", s.status, status)
	}
	// The machine that runs the tests may stand still for seconds.
	lawful := append([]string{"master was stopped", "pool was stopped"}, s.lawful...)
	all, _ := s.entries()
	for _, e := range all {
		level, message := e.text("@level"), e.text("@message")
		bad := level == "warn" || level == "error" || strings.HasPrefix(message, "LEFT BEHIND")
		if bad && !slices.Contains(lawful, message) {
			s.t.Errorf("unexpected in the log: %v", e)
		}
	}
}

// stop ends the service as systemd does.
func (s *service) stop() {
	s.t.Helper()
	s.signalMaster(syscall.SIGTERM)
	s.expect(0)
}

// busy waits until a worker has taken a request. The pool looks once a second,
// so the request must take longer.
func (s *service) busy() {
	s.t.Helper()
	limit := time.After(patience)
	for {
		all, more := s.entries()
		for _, e := range all {
			if e.text("@message") == "slot moved" && e.text("to") == pool.Busy.String() {
				return
			}
		}
		select {
		case <-more:
		case <-limit:
			s.t.Fatal("no worker became busy")
		}
	}
}
