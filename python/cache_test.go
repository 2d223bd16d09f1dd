package python

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func environment(set map[string]string) func(string) string {
	return func(name string) string { return set[name] }
}

func stored(t *testing.T) (Cache, string) {
	t.Helper()
	c := Cache{filepath.Join(t.TempDir(), "deep", "cache")}
	if err := c.Store("/usr/bin/python3", []byte("some code")); err != nil {
		t.Fatal(err)
	}
	return c, filepath.Join(c.dir, fileName("/usr/bin/python3"))
}

func TestWhatWasStoredIsLoaded(t *testing.T) {
	c, path := stored(t)
	if code, err := c.Load("/usr/bin/python3"); err != nil || string(code) != "some code" {
		t.Errorf("got %q, %v", code, err)
	}
	if _, err := c.Load("/usr/bin/python3.9"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of another interpreter: got %v, want fs.ErrNotExist", err)
	}
	if err := c.Store("/usr/bin/python3", []byte("other code")); err != nil {
		t.Fatal(err)
	}
	if code, err := c.Load("/usr/bin/python3"); err != nil || string(code) != "other code" {
		t.Errorf("stored again: got %q, %v", code, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info.Mode(), err)
	}
}

// What others can write would be executed with the rights of the service.
func TestWhatOthersCouldHaveWrittenIsNotUsed(t *testing.T) {
	c, path := stored(t)
	for name, spoil := range map[string]func() error{
		"a file for the group":      func() error { return os.Chmod(path, 0o660) },
		"a file for all":            func() error { return os.Chmod(path, 0o606) },
		"a directory for the group": func() error { return os.Chmod(c.dir, 0o770) },
		"a directory for all":       func() error { return os.Chmod(c.dir, 0o1777) },
		"a link to elsewhere": func() error {
			other := filepath.Join(t.TempDir(), "other")
			return errors.Join(os.Rename(path, other), os.Symlink(other, path))
		},
		"a directory": func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		if err := errors.Join(os.Chmod(c.dir, 0o700), os.RemoveAll(path)); err != nil {
			t.Fatal(err)
		}
		if err := c.Store("/usr/bin/python3", []byte("some code")); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if code, err := c.Load("/usr/bin/python3"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %q, %v, want a refusal", name, code, err)
		}
	}
}

func TestNothingOfAnotherUserIsUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	c, path := stored(t)
	if err := os.Chown(path, 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load("/usr/bin/python3"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a file: got %v, want ErrUntrusted", err)
	}
	if err := os.Chown(c.dir, 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Store("/usr/bin/python3", []byte("x")); !errors.Is(err, ErrUntrusted) {
		t.Errorf("storing into a directory: got %v, want ErrUntrusted", err)
	}
}

// A machine that crashed, or a disk that rots, must not make the interpreter execute what is left.
func TestADamagedFileIsNotUsed(t *testing.T) {
	c, path := stored(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	for name, data := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)-2], "cut early": whole[:7], "flipped": flipped} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, err := c.Load("/usr/bin/python3"); err == nil {
			t.Errorf("%s: got %q, want an error", name, code)
		}
	}
}

// A master that was killed while it wrote must not keep all others from storing; one that still writes is left alone.
func TestAFileThatWasBegunIsTakenOver(t *testing.T) {
	c, path := stored(t)
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Store("/usr/bin/python3", []byte("x")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("beside another writer: got %v, want fs.ErrExist", err)
	}
	old := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(path+".new", old, old); err != nil {
		t.Fatal(err)
	}
	if err := c.Store("/usr/bin/python3", []byte("x")); err != nil {
		t.Errorf("after one that was killed: %v", err)
	}
	if names, err := os.ReadDir(c.dir); err != nil || len(names) != 1 {
		t.Errorf("got %v, %v, want one file", names, err)
	}
}

func TestAFullDiskLeavesNothing(t *testing.T) {
	c, _ := stored(t)
	if err := c.Store("/usr/bin/python3", make([]byte, MaxCompiled+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("more than may be kept: got %v", err)
	}
	full := Cache{"/proc/sys/indrik"} // where nobody can make anything
	if err := full.Store("/usr/bin/python3", []byte("x")); err == nil {
		t.Error("stored where nothing can be made")
	}
	if _, err := full.Load("/usr/bin/python3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestWhereTheCacheIs(t *testing.T) {
	home := map[string]string{"HOME": "/home/a"}
	for want, c := range map[string]Cache{
		"/var/cache/indrik/shop": FindCache(environment(map[string]string{"CACHE_DIRECTORY": "/var/cache/indrik/shop:/var/cache/b", "HOME": "/x"}), false),
		"/var/cache/indrik":      FindCache(environment(home), true),
		"/home/a/.cache/indrik":  FindCache(environment(home), false),
		"/c/indrik":              FindCache(environment(map[string]string{"HOME": "/home/a", "XDG_CACHE_HOME": "/c"}), false),
		"":                       FindCache(environment(map[string]string{"HOME": "home", "XDG_CACHE_HOME": ".", "CACHE_DIRECTORY": "x"}), false),
	} {
		if c.dir != want {
			t.Errorf("got %q, want %q", c.dir, want)
		}
	}
	var none Cache
	if err := none.Store("/usr/bin/python3", []byte("x")); err != nil {
		t.Errorf("storing nowhere: %v", err)
	}
	if _, err := none.Load("/usr/bin/python3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}
