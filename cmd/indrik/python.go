package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/indrik/indrik/settings"
	"golang.org/x/sys/unix"
)

// findPython decides which interpreter runs the application and returns it as
// an absolute path, in a layer that replaces what was given. Symbolic links
// are kept as they are: a virtual environment is one, and Python finds its
// packages by the path it was called with.
//
// Not given, it is that of the virtual environment into which pip installed this
// binary, as a script there would have it; else that of the active one; else the
// first in PATH.
func findPython(p process, layers []settings.Layer) (settings.Layer, error) {
	item, source := settings.Strongest("python", layers...)
	name, origin := item.Text(), item.Origin
	remedy := "give the path of an interpreter with --python"
	if name == "" {
		source = settings.Default
		if beside := pythonBeside(p.executable); beside != "" {
			name, origin = beside, "the virtual environment of "+p.executable
			remedy = "make that virtual environment anew, or " + remedy
		} else if venv := p.getenv("VIRTUAL_ENV"); venv != "" {
			name, origin = filepath.Join(venv, "bin", "python"), "VIRTUAL_ENV"
			remedy = "deactivate that virtual environment, or " + remedy
		} else {
			name, origin = "python3", "default"
			remedy = "install Python 3, or " + remedy
		}
	}
	if strings.Contains(name, "/") {
		name = p.path(name)
	}
	path, err := findExecutable(name, p.getenv("PATH"))
	if err != nil {
		return settings.Layer{}, fmt.Errorf("find python (%s): %w; %s", origin, err, remedy)
	}
	item = settings.Item{Name: "python", Texts: []string{path}, Origin: origin}
	return settings.Layer{Source: source, Items: []settings.Item{item}}, nil
}

// pythonBeside is the interpreter of the virtual environment whose bin directory
// holds this binary, or "" if that is none. Whether it can be used is not asked.
func pythonBeside(binary string) string {
	bin := filepath.Dir(binary)
	// What makes a directory a virtual environment, to Python itself (site).
	if _, err := os.Stat(filepath.Join(filepath.Dir(bin), "pyvenv.cfg")); err != nil {
		return ""
	}
	return filepath.Join(bin, "python")
}

// findExecutable looks a program up as a shell would, and returns an absolute
// path. Unlike exec.LookPath it is told the search path. Empty and relative
// directories in it are passed over: a python3 that happens to lie in the
// current directory is not the one that was meant.
func findExecutable(name, search string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return "", err
		}
		return filepath.Abs(name)
	}
	var refused error
	for _, dir := range filepath.SplitList(search) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if refused == nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			refused = err // it is there and cannot be used: more to the point than "not found"
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", fmt.Errorf("no %s in PATH", name)
}

// executable reports why path is not a file that we may execute.
func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%s is not executable: %w", path, err)
	}
	return nil
}
