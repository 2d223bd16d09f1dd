package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The roles this test binary plays beside running the tests.
const (
	roleEnv      = "INDRIK_E2E_ROLE"
	roleActivate = "activate" // hand over sockets as systemd does, then exec
	roleProgram  = "program"  // a worker of indrik exec; see program_test.go
	roleSweep    = "sweep"    // kill what a killed test run leaves behind
)

// markEnv names the service a process belongs to. Everything that indrik starts
// inherits it.
const markEnv = "INDRIK_E2E_MARK"

// wantedBinary is tested instead of one that is built; an absolute path.
var wantedBinary = flag.String("binary", "", "test this indrik instead of building one")

// wantedPython replaces the interpreter; an absolute path.
var wantedPython = flag.String("python", "", "interpreter for the applications; the default is that of .venv, else python3")

// world is what all tests share. It is made before the first and not changed.
var world struct {
	root       string // of the repository
	binary     string // indrik, as built from it
	python     string // absolute path of an interpreter
	frameworks error  // why Flask and Django cannot be imported, or nil
	apps       string // testdata/apps, absolute
}

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case roleActivate:
		os.Exit(activate())
	case roleProgram:
		os.Exit(program(os.Args[1:]))
	case roleSweep:
		os.Exit(sweep())
	}
	flag.Parse()
	if err := waitTogether(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(m))
}

// waitTogether lets twice as many tests run at a time as there are processors,
// unless -parallel says how many: more than half of their time they wait.
func waitTogether() error {
	wanted := false
	flag.Visit(func(f *flag.Flag) { wanted = wanted || f.Name == "test.parallel" })
	if wanted {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}

// run makes the world and runs the tests.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "indrik-e2e-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }() // a binary left in the temporary directory harms nobody
		err = makeWorld(dir)
	}
	if err == nil {
		var stopSweeper func()
		if stopSweeper, err = startSweeper(); err == nil {
			defer stopSweeper()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func makeWorld(dir string) (err error) {
	if world.root, err = filepath.Abs("../.."); err != nil {
		return err
	}
	world.apps = filepath.Join(world.root, "test/e2e/testdata/apps")
	if err = buildBinary(dir); err != nil {
		return err
	}
	if err = findPython(); err != nil {
		return err
	}
	_, world.frameworks = output(dir, world.python, "-c", "import flask, django")
	return nil
}

func buildBinary(dir string) error {
	if world.binary = *wantedBinary; world.binary != "" {
		return nil
	}
	world.binary = filepath.Join(dir, "indrik")
	build := []string{"build", "-o", world.binary}
	if raceEnabled {
		build = append(build, "-race")
	}
	_, err := output(world.root, "go", append(build, "./cmd/indrik")...)
	return err
}

// findPython asks the interpreter for its own path: what is called python3 may
// be a script of a version manager, which costs every start half a second.
func findPython() error {
	name := *wantedPython
	if name == "" {
		name = filepath.Join(world.root, ".venv/bin/python")
		if _, err := os.Stat(name); err != nil {
			name = "python3"
		}
	}
	path, err := output(world.root, name, "-c", "import sys; print(sys.executable)")
	world.python = strings.TrimSpace(path)
	return err
}

// output runs a program to its end. Its error holds what the program said.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &said)
	}
	return out.String(), nil
}

// markPrefix begins the marks of all services of this run.
func markPrefix(run int) string { return fmt.Sprintf("e2e-%d-", run) }

// startSweeper starts a process that outlives this one if it is killed, as the
// time limit of go test does, and then ends what the tests had running.
func startSweeper() (stop func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, strconv.Itoa(os.Getpid()))
	cmd.Env = append(os.Environ(), roleEnv+"="+roleSweep)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // out of reach of what kills our group
	line, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sweeper: %w", err)
	}
	return func() {
		_ = line.Close() // end of file is the order to sweep and leave
		_ = cmd.Wait()   // it has no status of interest
	}, nil
}

// sweep waits for the end of the test run, then kills every process with one
// of its marks.
func sweep() int {
	_, _ = io.Copy(io.Discard, os.Stdin) // nothing is ever written: it returns at the end
	run, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return 1
	}
	for _, pid := range marked(markPrefix(run)) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: gone by itself
	}
	return 0
}

// activate plays systemd's side of socket activation. Only the process itself
// can know its number beforehand, so it sets LISTEN_PID and becomes indrik.
func activate() int {
	env := []string{"LISTEN_PID=" + strconv.Itoa(os.Getpid())}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, roleEnv+"=") {
			env = append(env, pair)
		}
	}
	err := syscall.Exec(os.Args[1], os.Args[1:], env)
	fmt.Fprintln(os.Stderr, "activate:", err)
	return 70
}
