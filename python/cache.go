package python

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// MaxCompiled is how much a file of a [Cache] may hold, in bytes. Our own modules compile to some 300 KB.
const MaxCompiled = 4 << 20

// sumSize is what precedes the code in a file, in bytes.
const sumSize = 8

// abandoned is the age at which a file that is being written has been left by its writer.
const abandoned = time.Minute

// ErrUntrusted means that others than the user of this process could have written what is in a cache. The
// error that wraps it says what of it.
var ErrUntrusted = errors.New("others may write to it")

// Cache is a directory of compiled code, one file for each interpreter. What is in it will be executed, so
// it is used only if it belongs to the user of this process and nobody else may write to it,
// directory and file. The zero Cache holds nothing and keeps nothing. A Cache has no state, and may be used by
// several goroutines and processes: a file is replaced as a whole.
type Cache struct {
	dir string
}

// FindCache chooses the directory: the first of CACHE_DIRECTORY, which systemd sets for CacheDirectory= of a
// unit; for root /var/cache/indrik; else indrik in XDG_CACHE_HOME or in the .cache of HOME. getenv looks up a variable of
// the environment, "" if it is not set. The directory need not be there.
func FindCache(getenv func(string) string, root bool) Cache {
	given, _, _ := strings.Cut(getenv("CACHE_DIRECTORY"), ":")
	switch home := getenv("HOME"); {
	case filepath.IsAbs(given):
		return Cache{given}
	case root:
		return Cache{"/var/cache/indrik"}
	case filepath.IsAbs(getenv("XDG_CACHE_HOME")):
		return Cache{filepath.Join(getenv("XDG_CACHE_HOME"), "indrik")}
	case filepath.IsAbs(home):
		return Cache{filepath.Join(home, ".cache", "indrik")}
	}
	return Cache{}
}

// Load returns what was stored for an interpreter. An error that wraps [fs.ErrNotExist] means that nothing was; one
// that wraps [ErrUntrusted], that it must not be used. A file that was cut or has rotted is an error too.
func (c Cache) Load(interpreter string) ([]byte, error) {
	root, err := c.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(fileName(interpreter), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open compiled code: %w", err)
	}
	defer f.Close()
	path := f.Name()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at compiled code: %w", err)
	}
	if !info.Mode().IsRegular() || !trusted(info) {
		return nil, fmt.Errorf("compiled code in %s: %w", path, ErrUntrusted)
	}
	data := make([]byte, min(info.Size(), sumSize+MaxCompiled))
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read compiled code: %w", err)
	}
	if len(data) < sumSize || binary.LittleEndian.Uint64(data) != sum(data[sumSize:]) {
		return nil, fmt.Errorf("compiled code in %s: not what was written", path)
	}
	return data[sumSize:], nil
}

// Store keeps compiled code for an interpreter, in place of what is there. The directory is made if it is missing.
// It may wait for a slow disk.
func (c Cache) Store(interpreter string, code []byte) error {
	if c.dir == "" {
		return nil
	}
	if len(code) > MaxCompiled {
		return fmt.Errorf("store compiled code: %d bytes, and at most %d are kept", len(code), MaxCompiled)
	}
	// Services of other users may have directories of their own below.
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return fmt.Errorf("make a directory for compiled code: %w", err)
	}
	root, err := c.open()
	if err != nil {
		return err
	}
	defer root.Close()
	name := fileName(interpreter)
	if err := write(root, name+".new", code); err != nil {
		return fmt.Errorf("write compiled code: %w", err)
	}
	if err := root.Rename(name+".new", name); err != nil {
		return fmt.Errorf("name compiled code: %w", err)
	}
	return nil
}

// open opens the directory, if nobody else may change what is in it.
func (c Cache) open() (*os.Root, error) {
	if c.dir == "" {
		return nil, fmt.Errorf("no directory for compiled code: %w", fs.ErrNotExist)
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of compiled code: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil && !trusted(info) {
		err = fmt.Errorf("%s: %w", c.dir, ErrUntrusted)
	}
	if err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("look at the directory of compiled code: %w", err)
	}
	return root, nil
}

// write makes a file of code with its digest before it. One that another writer is at is left to that.
func write(root *os.Root, name string, code []byte) error {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := root.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if info, e := root.Lstat(name); e == nil && time.Since(info.ModTime()) > abandoned {
			_ = root.Remove(name) // who left it there was killed
			f, err = root.OpenFile(name, flags, 0o600)
		}
	}
	if err != nil {
		return err
	}
	// It is not synced: after a crash of the machine the digest tells.
	_, err = f.Write(append(binary.LittleEndian.AppendUint64(nil, sum(code)), code...))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = root.Remove(name) // a full disk, perhaps
	}
	return err
}

// sum tells whether a disk or a crash has changed something. Against people there are the rights on the file. The length
// is in it, because a file of zeros has none of a CRC.
func sum(code []byte) uint64 {
	return uint64(len(code))<<32 | uint64(crc32.ChecksumIEEE(code))
}

// trusted reports that a file or directory is ours, and nobody else may write to it. A right that an access control
// list gives shows in the group's (acl(5)).
func trusted(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}

// fileName is that of an interpreter's code. It has the path in it, not the version: what an interpreter before has
// compiled is of no use when it is replaced, and is overwritten.
func fileName(interpreter string) string {
	digest := sha256.Sum256([]byte(interpreter))
	return "python-" + hex.EncodeToString(digest[:8])
}
