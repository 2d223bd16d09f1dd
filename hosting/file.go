package hosting

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// saved is a file as it was before it was written; text is nil if there was none.
type saved struct {
	file string
	text []byte
	mode fs.FileMode
}

// write writes a file that is there whole or not at all, also after a loss of power,
// readable for the user of the service. Without replace it fails with ErrExists if
// anybody has made such a file, were it meanwhile. The directory is made if need be.
func write(file string, text []byte, replace bool) (*saved, error) {
	before := &saved{file: file}
	if info, err := os.Stat(file); err == nil {
		if !replace {
			return nil, fmt.Errorf("%s: %w", file, ErrExists)
		}
		before.mode = info.Mode().Perm()
		if before.text, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("keep what was there: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of configurations: %w", err)
	}
	return before, place(file, text, 0o644, replace)
}

// place moves a finished file to its name.
func place(file string, text []byte, mode fs.FileMode, replace bool) error {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, ".indrik-*") // no *.toml: the generator passes it over
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer os.Remove(f.Name()) // gone already if it was renamed
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil && replace {
		err = os.Rename(f.Name(), file)
	} else if err == nil {
		err = os.Link(f.Name(), file) // unlike rename it overwrites nothing
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", file, ErrExists)
	} else if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return syncDir(dir)
}

// restore puts back what was there.
func (s *saved) restore() error {
	if s.text == nil {
		return remove(s.file)
	}
	return place(s.file, s.text, s.mode, true)
}

// remove deletes a file; one that is not there is no error.
func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete the configuration: %w", err)
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes a change of names last. A directory that went is no error.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
