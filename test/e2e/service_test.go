package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is the limit of every wait for something that must happen. On a machine
// that others keep busy everything takes ten times as long.
const patience = time.Minute

// launch is how to start indrik. The zero value of each field but app is ready.
type launch struct {
	app     string
	args    []string   // options; the harness adds --bind and --python
	bind    []string   // addresses; nil is one TCP port of the kernel's choice
	env     []string   // beside the test's own environment
	dir     string     // working directory; "" is testdata/apps
	sockets []*os.File // passed as systemd passes them
	names   string     // LISTEN_FDNAMES for them
	program []string   // in place of indrik and its options
	binary  string     // in place of the indrik that all tests share
}

// service is an indrik that runs.
type service struct {
	t      testing.TB
	pid    int // of the master
	stderr *transcript
	stdout *transcript
	pipes  []io.Closer // our ends of both

	cmd      *exec.Cmd
	mark     string
	notes    string // directory in which the applications leave notes
	allowed  []string
	ended    chan struct{} // closed when the master was reaped
	web      *http.Client
	host     string       // that web asks for
	requests atomic.Int64 // that held made
	mu       sync.Mutex
	conns    []net.Conn // that dial made
}

var services atomic.Int64

// start starts indrik and does not wait for anything.
func start(t testing.TB, l launch) *service {
	t.Helper()
	s := &service{t: t, host: "test", mark: fmt.Sprintf("%s%d.", markPrefix(os.Getpid()), services.Add(1)), notes: t.TempDir(), ended: make(chan struct{})}
	s.cmd = s.command(l)
	errRead, errWrite := pipe(t)
	outRead, outWrite := pipe(t)
	s.cmd.Stderr, s.cmd.Stdout = errWrite, outWrite
	s.stderr, s.stdout = record(errRead), record(outRead)
	s.pipes = []io.Closer{errRead, outRead}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start indrik: %v", err)
	}
	s.pid = s.cmd.Process.Pid
	_ = errWrite.Close() // the child has its own
	_ = outWrite.Close()
	go func() {
		_ = s.cmd.Wait() // the status is in ProcessState
		close(s.ended)
	}()
	s.web = &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext:        s.dialer(0),
		DisableCompression: true,
	}}
	t.Cleanup(func() {
		s.hangUp()
		s.clear()
		<-s.ended
		if t.Failed() {
			t.Logf("indrik %s wrote:\n%s", strings.Join(s.cmd.Args[1:], " "), s.stderr)
		}
		_ = errRead.Close()
		_ = outRead.Close()
	})
	return s
}

// command puts the command line together.
func (s *service) command(l launch) *exec.Cmd {
	bind := l.bind
	if bind == nil && l.sockets == nil {
		bind = []string{"127.0.0.1:0"}
	}
	var args []string
	for _, address := range bind {
		args = append(args, "--bind", address)
	}
	if !slices.Contains(l.args, "--python") {
		args = append(args, "--python", world.python)
	}
	args = append(args, l.args...)
	if l.app != "" {
		args = append(args, l.app)
	}
	binary := l.binary
	if binary == "" {
		binary = world.binary
	}
	cmd := exec.Command(binary, args...)
	if l.program != nil {
		cmd = exec.Command(l.program[0], l.program[1:]...)
	}
	cmd.Dir = l.dir
	if cmd.Dir == "" {
		cmd.Dir = world.apps
	}
	cmd.Env = append(os.Environ(), markEnv+"="+s.mark, "E2E_NOTES="+s.notes, "PYTHONDONTWRITEBYTECODE=1", "PWD="+cmd.Dir)
	if raceEnabled {
		// Otherwise each process sleeps a second before it exits.
		cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a job of its own, as a shell makes it
	if l.sockets != nil {
		exe, err := os.Executable()
		if err != nil {
			s.t.Fatal(err)
		}
		cmd.Path, cmd.Args = exe, append([]string{exe}, cmd.Args...)
		cmd.ExtraFiles = l.sockets
		cmd.Env = append(cmd.Env, roleEnv+"="+roleActivate, fmt.Sprintf("LISTEN_FDS=%d", len(l.sockets)))
		if l.names != "" {
			cmd.Env = append(cmd.Env, "LISTEN_FDNAMES="+l.names)
		}
	}
	cmd.Env = append(cmd.Env, l.env...)
	return cmd
}

// serve starts indrik and waits until it serves.
func serve(t testing.TB, l launch) *service {
	t.Helper()
	s := start(t, l)
	s.stderr.await(t, 1, "[INFO]", "indrik.master: serving:")
	return s
}

// clear kills what is left of the tree.
func (s *service) clear() {
	within(s.t, patience, "the tree is killed", func() bool {
		pids := marked(s.mark)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: gone by itself
		}
		return len(pids) == 0
	})
}

// allow names warnings, errors or tracebacks that the test provokes, by a part
// of their line.
func (s *service) allow(parts ...string) { s.allowed = append(s.allowed, parts...) }

// stop ends the service as systemd does, when its clients have gone: a drain
// with clients is the subject of tests of its own.
func (s *service) stop() {
	s.t.Helper()
	s.hangUp()
	s.kill(s.pid, syscall.SIGTERM)
	s.expect(0)
}

// expect waits for the end of the master and checks what every end must be.
func (s *service) expect(status int) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("indrik has not ended within %v", patience)
	}
	if state := s.cmd.ProcessState; state.ExitCode() != status {
		s.t.Errorf("indrik ended with %v, want exit status %d", state, status)
	}
	if left := marked(s.mark); len(left) > 0 {
		s.t.Errorf("processes left behind: %v", s.describe(left))
	}
	s.judge(s.stderr.end(s.t))
}

// judge looks for lines that nobody provoked.
//
// Where workers may die, the gateway may say of the requests they held that those
// failed.
func (s *service) judge(lines []string) {
	s.t.Helper()
	if slices.Contains(s.allowed, "worker ended") {
		s.allow("request failed: ")
	}
	s.allow("master was stopped", "pool was stopped") // by a machine that has more to do than it can
	const traceback = "Traceback (most recent call last):"
	if slices.ContainsFunc(s.allowed, func(part string) bool { return strings.Contains(traceback, part) }) {
		s.allow("[ERROR] request 0x") // the line that it belongs to
	}
	for _, line := range lines {
		if !troubling(line) || slices.ContainsFunc(s.allowed, func(part string) bool { return strings.Contains(line, part) }) {
			continue
		}
		s.t.Errorf("unexpected on standard error: %s", line)
	}
}

func troubling(line string) bool {
	for _, sign := range []string{"[WARN]", "[ERROR]", "Traceback (most recent", "DATA RACE", "panic:", "Fatal Python error", "goroutine 1 ["} {
		if strings.Contains(line, sign) {
			return true
		}
	}
	return strings.HasPrefix(line, "indrik: ") // the complaint before a failure
}

func (s *service) describe(pids []int) (all []string) {
	for _, pid := range pids {
		all = append(all, fmt.Sprintf("%d (%s)", pid, role(pid)))
	}
	return all
}

// listener returns network and address of the nth listener, from 0.
func (s *service) listener(n int) (network, address string) {
	s.t.Helper()
	line := s.stderr.await(s.t, n+1, "indrik.master: listening:")
	return field(line, "network"), strings.TrimPrefix(field(line, "address"), "unix:")
}

// dial connects to the first listener.
func (s *service) dial() net.Conn { s.t.Helper(); return s.dialTo(0) }

// dialTo connects to the nth listener, from 0. The connection is closed by stop
// or the end of the test.
func (s *service) dialTo(n int) net.Conn {
	s.t.Helper()
	network, address := s.listener(n)
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.conns = append(s.conns, conn)
	s.mu.Unlock()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// hangUp closes the connections of dial and get.
func (s *service) hangUp() {
	s.web.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		_ = conn.Close() // closed by the test already, perhaps
	}
	s.conns = nil
}

// get asks the first listener. It fails the test if there is no response.
func (s *service) get(path string) (status int, body string) {
	s.t.Helper()
	return s.read(s.web.Get(s.url(path)))
}

func (s *service) post(path, kind string, body io.Reader) (status int, text string) {
	s.t.Helper()
	return s.read(s.web.Post(s.url(path), kind, body))
}

func (s *service) url(path string) string { return "http://" + s.host + path }

func (s *service) read(response *http.Response, err error) (int, string) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// wants fails the test unless a request is answered with status and body.
func (s *service) wants(path string, status int, body string) {
	s.t.Helper()
	if gotStatus, gotBody := s.get(path); gotStatus != status || gotBody != body {
		s.t.Errorf("GET %s: got %d %q, want %d %q", path, gotStatus, brief(gotBody), status, body)
	}
}

// brief shortens text for a message.
func brief(text string) string {
	if len(text) > 300 {
		return text[:300] + "…"
	}
	return text
}

// note waits for a note that the application leaves and returns what it says.
func (s *service) note(name string) string {
	s.t.Helper()
	var text []byte
	s.until("the application notes "+name, func() (there bool) {
		var err error
		text, err = os.ReadFile(filepath.Join(s.notes, name))
		return err == nil
	})
	return string(text)
}

// noted reports whether the note is there.
func (s *service) noted(name string) bool {
	_, err := os.Stat(filepath.Join(s.notes, name))
	return err == nil
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}
