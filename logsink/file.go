package logsink

import (
	"bytes"
	"fmt"
	"os"
)

// fileMode leaves it to the umask who else may read a log.
const fileMode = 0o666

// File is a file that entries are appended to, each of which ends with a line
// feed. Others may append to the same file, and rename it.
type File struct {
	path string // "" for one that was opened by others
	file *os.File
	torn bool // it ends in the middle of an entry
}

// OpenFile opens the file at path for appending, and makes it if there is none.
func OpenFile(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &File{path: path, file: f}, nil
}

// Borrow makes a target of an open file, such as standard output, which is
// neither reopened nor closed.
func Borrow(file *os.File) *File { return &File{file: file} }

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, fileMode)
}

// Write appends entries. If the disk is full, those that fit are kept.
func (f *File) Write(entries []byte) (lost int, err error) {
	if f.torn {
		// Ours to end: half an entry with another behind it would be neither.
		if _, err := f.file.Write([]byte{'\n'}); err != nil {
			return bytes.Count(entries, newline), err
		}
		f.torn = false
	}
	n, err := f.file.Write(entries)
	if err != nil {
		f.torn = n > 0 && entries[n-1] != '\n'
		lost = bytes.Count(entries[n:], newline)
	}
	return lost, err
}

var newline = []byte{'\n'}

// Reopen opens the path again, where another file may be by now.
func (f *File) Reopen() error {
	if f.path == "" {
		return nil
	}
	next, err := open(f.path)
	if err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	last := f.file
	f.file, f.torn = next, false
	return last.Close()
}

// Close closes the file unless it is borrowed.
func (f *File) Close() error {
	if f.path == "" {
		return nil
	}
	return f.file.Close()
}
