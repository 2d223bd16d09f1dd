package static

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// mostNames is how many entries of a directory are kept to tell quickly what is
// not in it. A directory with more is asked each time.
const mostNames = 10_000

// unsettled is how long after a change a file or directory may change again
// without its time of modification showing it: the clock of file systems ticks
// in milliseconds, in seconds on some.
const unsettled = 2 * time.Second

// mount is one directory.
type mount struct {
	prefix  []byte // without the slash at its end
	dir     string
	listing bool // names are kept
	opened  atomic.Pointer[opened]
}

// opened is a directory as it was when it was looked at last. It does not change.
type opened struct {
	root  *os.Root
	info  fs.FileInfo
	names map[string]struct{} // of its entries; nil if they are not known
}

// refresh brings m.opened up to date.
func (m *mount) refresh(now time.Time) error {
	info, err := os.Stat(m.dir)
	if err != nil {
		return err
	}
	old := m.opened.Load()
	same := old != nil && os.SameFile(old.info, info)
	if same && (!m.listing || old.info.ModTime().Equal(info.ModTime()) && now.Sub(info.ModTime()) > unsettled) {
		return nil
	}
	next := &opened{info: info}
	if same {
		next.root = old.root
	} else if next.root, err = os.OpenRoot(m.dir); err != nil {
		return err
	}
	if m.listing {
		next.names = list(next.root)
	}
	m.opened.Store(next)
	if old != nil && !same {
		_ = old.root.Close() // a request that is about to use it tries the new one
	}
	return nil
}

// list returns the names in a directory, or nil if they cannot be told or are
// too many.
func list(root *os.Root) map[string]struct{} {
	dir, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer dir.Close()
	found, err := dir.Readdirnames(mostNames + 1)
	if err != nil && !errors.Is(err, io.EOF) || len(found) > mostNames {
		return nil
	}
	names := make(map[string]struct{}, len(found))
	for _, name := range found {
		names[name] = struct{}{}
	}
	return names
}

// mayHold reports whether the first part of a path below the mount is there. It
// is asked for every request that could be the application's, so it must not
// touch the disk.
func (m *mount) mayHold(rest []byte) bool {
	o := m.opened.Load()
	if o == nil || o.names == nil {
		return true
	}
	rest = bytes.TrimPrefix(rest, []byte{'/'})
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		rest = rest[:i]
	}
	if len(rest) == 0 {
		rest = []byte(indexFile)
	}
	_, ok := o.names[string(rest)]
	return ok
}

// errNoDirectory stands for every name below a directory that is not there.
var errNoDirectory = fmt.Errorf("directory of static files: %w", fs.ErrNotExist)

// open opens a file or directory below the mount. O_NONBLOCK keeps the opening
// of a FIFO from waiting for its writer; for regular files it means nothing.
func (m *mount) open(name string) (*os.File, fs.FileInfo, error) {
	for {
		o := m.opened.Load()
		if o == nil {
			return nil, nil, errNoDirectory
		}
		file, err := o.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, os.ErrClosed) && m.opened.Load() != o {
			continue // the directory was replaced meanwhile
		}
		if err != nil {
			return nil, nil, err
		}
		info, err := file.Stat()
		if err != nil {
			_ = file.Close() // nothing was read
			return nil, nil, err
		}
		return file, info, nil
	}
}

// close closes the directory.
func (m *mount) close() {
	if o := m.opened.Swap(nil); o != nil {
		_ = o.root.Close() // nothing was written
	}
}
