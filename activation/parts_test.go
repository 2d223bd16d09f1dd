package activation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for an event that must come.
const patience = 10 * time.Second

// partEnv names the part that this binary plays instead of running tests, and
// execEnv what the part "manager" executes. Descriptors from 3 upwards must be
// exactly those of the activation protocol, so nothing else is passed.
const (
	partEnv = "ACTIVATION_TEST_PART"
	execEnv = "ACTIVATION_TEST_EXEC"     // JSON list of arguments
	bindEnv = "ACTIVATION_TEST_BIND"     // path and octal mode for the part "binder"
	quick   = "GORACE=atexit_sleep_ms=0" // or each part ends a second late under -race
	pidEnv  = "ACTIVATION_TEST_PID"      // what playManager does otherwise than well
)

func TestMain(m *testing.M) {
	switch part := os.Getenv(partEnv); part {
	case "":
		os.Exit(m.Run())
	case "manager":
		fmt.Fprintln(os.Stderr, playManager())
		os.Exit(1)
	case "service":
		report(playService())
	case "go-systemd":
		report(playPeer())
	case "binder":
		if err := playBinder(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintf(os.Stderr, "no part %q\n", part)
		os.Exit(1)
	}
}

func report(story story) {
	if err := json.NewEncoder(os.Stdout).Encode(story); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// playManager is what systemd does last: the descriptors lie at 3 and up, and
// only the process itself can know the number for LISTEN_PID. It returns only
// if it failed.
func playManager() error {
	var argv []string
	if err := json.Unmarshal([]byte(os.Getenv(execEnv)), &argv); err != nil {
		return err
	}
	next, pid := "service", os.Getpid()
	switch os.Getenv(pidEnv) {
	case "wrong":
		pid = os.Getppid()
	case "pidfdid":
		id, _ := pidfdID(pid)
		_ = os.Setenv("LISTEN_PIDFDID", strconv.FormatUint(id, 10))
	case "bad pidfdid":
		id, _ := pidfdID(pid)
		_ = os.Setenv("LISTEN_PIDFDID", strconv.FormatUint(id+1, 10))
	case "peer":
		next = "go-systemd"
	}
	_ = os.Setenv(partEnv, next)
	_ = os.Setenv("LISTEN_PID", strconv.Itoa(pid))
	return syscall.Exec(argv[0], argv, os.Environ())
}

// A story is what a part tells about its start.
type story struct {
	Sockets []Socket
	Error   string
	Flags   []flags // of the descriptors from 3 on
	Names   []string
}

type flags struct{ CloseOnExec, NonBlocking bool }

func playService() story {
	sockets, err := Inherited(os.Getenv, os.Getpid())
	s := story{Sockets: sockets}
	if err != nil {
		s.Error = err.Error()
	}
	count, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	for fd := firstFD; fd < firstFD+count; fd++ {
		f, err := flagsOf(fd)
		if err != nil {
			break
		}
		s.Flags = append(s.Flags, f)
	}
	return s
}

func playPeer() story {
	var s story
	for _, f := range systemd.Files(true) {
		s.Names = append(s.Names, f.Name())
		s.Sockets = append(s.Sockets, Socket{FD: int(f.Fd()), Name: f.Name()})
	}
	return s
}

// playBinder makes a socket file and prints its mode.
func playBinder() error {
	var path string
	var mode fs.FileMode
	if _, err := fmt.Sscanf(os.Getenv(bindEnv), "%s %o", &path, &mode); err != nil {
		return err
	}
	b, err := ParseBind("unix:" + path)
	if err != nil {
		return err
	}
	s, err := Listen(context.Background(), b, ListenOptions{Mode: mode})
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	fmt.Printf("%o\n", info.Mode().Perm())
	return s.Close()
}

func flagsOf(fd int) (flags, error) {
	onFD, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		return flags{}, err
	}
	onFile, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return flags{onFD&unix.FD_CLOEXEC != 0, onFile&unix.O_NONBLOCK != 0}, err
}

// activate starts the part "service" as systemd would, with files as the
// descriptors from 3 on, and returns what it told.
func activate(t *testing.T, files []*os.File, env ...string) story {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := managed(t, ctx, []string{self(t)}, files, env...)
	return tell(t, cmd, cmd.Run)
}

// managed prepares the part "manager" to execute argv.
func managed(t *testing.T, ctx context.Context, argv []string, files []*os.File, env ...string) *exec.Cmd {
	t.Helper()
	args, err := json.Marshal(argv)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self(t))
	cmd.Env = append(os.Environ(), partEnv+"=manager", execEnv+"="+string(args), quick)
	cmd.Env = append(cmd.Env, env...)
	cmd.ExtraFiles = files
	cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	return cmd
}

// tell runs cmd to its end and reads its story.
func tell(t *testing.T, cmd *exec.Cmd, run func() error) story {
	t.Helper()
	if err := run(); err != nil {
		t.Fatalf("run %v: %v\n%s", cmd.Args, err, cmd.Stderr)
	}
	var s story
	if err := json.Unmarshal(cmd.Stdout.(*bytes.Buffer).Bytes(), &s); err != nil {
		t.Fatalf("read the story: %v\n%s%s", err, cmd.Stdout, cmd.Stderr)
	}
	return s
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// mustBind reads an address that a test is sure of.
func mustBind(t *testing.T, text string) Bind {
	t.Helper()
	b, err := ParseBind(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mustListen binds text for the length of the test.
func mustListen(t *testing.T, text string, opt ListenOptions) Socket {
	t.Helper()
	s, err := Listen(t.Context(), mustBind(t, text), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close %s: %v", text, err)
		}
	})
	return s
}

// fileOf returns a second descriptor for s, closed with the test.
func fileOf(t *testing.T, s Socket) *os.File {
	t.Helper()
	return file(t, dup(t, s.FD))
}

// file wraps fd, and closes it with the test.
func file(t *testing.T, fd int) *os.File {
	t.Helper()
	f := os.NewFile(uintptr(fd), fmt.Sprintf("fd %d", fd))
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func dup(t *testing.T, fd int) int {
	t.Helper()
	twin, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return twin
}

// temp is a directory with a path short enough for socket files, whatever the
// name of the test.
func temp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "act")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// answers connects to address and fails the test if nobody listens.
func answers(t *testing.T, network, address string) {
	t.Helper()
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Errorf("connect to %s: %v", address, err)
		return
	}
	_ = c.Close()
}

// contains fails the test unless err says all of wanted.
func contains(t *testing.T, err error, wanted ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", wanted)
	}
	for _, want := range wanted {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %q, want it to say %q", err, want)
		}
	}
}

// env makes an Env of "KEY=value" strings.
func env(entries ...string) Env {
	values := map[string]string{}
	for _, e := range entries {
		key, value, _ := strings.Cut(e, "=")
		values[key] = value
	}
	return func(key string) string { return values[key] }
}

func in(dir, name string) string { return filepath.Join(dir, name) }
