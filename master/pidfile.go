package master

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// pidFile is the file of --pid. The zero value is no file.
type pidFile struct {
	path string
	pid  int
}

// writePIDFile writes pid to path, atomically, readable by all. A file left by
// a process that is gone is replaced; one that names a living process is an
// error, because two masters of one service would fight over its sockets.
func writePIDFile(path string, pid int) (pidFile, error) {
	if path == "" {
		return pidFile{}, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return pidFile{}, fmt.Errorf("write pid file: %w", err)
	}
	if other, ok := livingPID(path); ok && other != pid {
		return pidFile{}, fmt.Errorf("write pid file %s: it names process %d, which is running; stop that one or choose another file", path, other)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return pidFile{}, fmt.Errorf("write pid file: %w", err)
	}
	_, err = fmt.Fprintf(tmp, "%d\n", pid)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the error to tell is the one before
		return pidFile{}, fmt.Errorf("write pid file %s: %w", path, err)
	}
	return pidFile{path: path, pid: pid}, nil
}

// remove deletes the file if it still names us.
func (f pidFile) remove() {
	if f.path == "" {
		return
	}
	if pid, ok := readPID(f.path); ok && pid == f.pid {
		_ = os.Remove(f.path) // gone already is as good
	}
}

// livingPID returns the process that the file names, if it is alive.
func livingPID(path string) (int, bool) {
	pid, ok := readPID(path)
	if !ok {
		return 0, false
	}
	err := syscall.Kill(pid, 0)
	return pid, err == nil || errors.Is(err, syscall.EPERM) // EPERM: alive, somebody else's
}

func readPID(path string) (int, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, err == nil && pid > 0
}
