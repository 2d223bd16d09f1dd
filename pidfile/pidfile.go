package pidfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// File is a file that names a process. The zero value is no file. Files are equal
// if they are the same file of the same process.
type File struct {
	Path string // absolute
	PID  int
}

// Write writes pid to path, atomically, readable by all; an empty path is no file. A
// file left by a process that is gone is replaced; one that names a living process is
// an error, because two masters of one service would fight over its sockets.
func Write(path string, pid int) (File, error) {
	if path == "" {
		return File{}, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return File{}, fmt.Errorf("write pid file: %w", err)
	}
	if other, ok := living(path); ok && other != pid {
		return File{}, fmt.Errorf("write pid file %s: it names process %d, which is running; stop that one or choose another file", path, other)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return File{}, fmt.Errorf("write pid file: %w", err)
	}
	_, err = fmt.Fprintf(tmp, "%d\n", pid)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the error to tell is the one before
		return File{}, fmt.Errorf("write pid file %s: %w", path, err)
	}
	return File{Path: path, PID: pid}, nil
}

// Remove deletes the file if it still names the process.
func (f File) Remove() {
	if f.Path == "" {
		return
	}
	if pid, ok := read(f.Path); ok && pid == f.PID {
		_ = os.Remove(f.Path) // gone already is as good
	}
}

// living returns the process that the file names, if it is alive.
func living(path string) (int, bool) {
	pid, ok := read(path)
	if !ok {
		return 0, false
	}
	err := syscall.Kill(pid, 0)
	return pid, err == nil || errors.Is(err, syscall.EPERM) // EPERM: alive, somebody else's
}

func read(path string) (int, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, err == nil && pid > 0
}
