package python

import (
	"embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"strings"
)

//go:embed indrik/*.py
var sources embed.FS

// bootFile is executed first; it makes the others importable.
const bootFile = "indrik/boot.py"

// usualSize is more than the package has, in bytes.
const usualSize = 512 << 10

// command is what Python is told to execute: the source in descriptor 4. It is short because
// people see it in ps(1), beside every worker.
const command = "exec(open(4,'rb',closefd=False).read())"

// Arguments are those of a mold, beginning with the interpreter. It needs its channel at
// descriptor 3 and at 4 and 5 what [Boot] and [Sources] return. compiled says that
// what a mold has compiled of these is at 6.
func Arguments(interpreter string, compiled bool) []string {
	args := []string{interpreter, "-c", command, "--channel", "3", "--sources", "5"}
	if compiled {
		args = append(args, "--compiled", "6")
	}
	return args
}

// Boot returns the program that a mold begins with. The bytes belong to the caller.
func Boot() ([]byte, error) {
	text, err := sources.ReadFile(bootFile)
	if err != nil {
		return nil, fmt.Errorf("read the embedded %s: %w", bootFile, err)
	}
	return text, nil
}

// Sources returns the package indrik as a marshal value: the digest of all that is embedded, and
// a dict of the modules' sources by name. Every call returns the same bytes, which belong to the caller.
func Sources() ([]byte, error) {
	names, err := fs.Glob(sources, "indrik/*.py") // sorted
	if err != nil {
		return nil, fmt.Errorf("list the embedded Python files: %w", err)
	}
	// Nobody is kept from anything by it, it tells versions apart: 64 bits that cost microseconds.
	digest, other := crc32.NewIEEE(), crc32.New(crc32.MakeTable(crc32.Castagnoli))
	both := io.MultiWriter(digest, other)
	dict := make([]byte, 0, usualSize)
	for _, name := range names {
		text, err := sources.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the embedded %s: %w", name, err)
		}
		_, _ = fmt.Fprintln(both, name, len(text)) // a hash takes everything
		_, _ = both.Write(text)
		if name != bootFile {
			dict = appendValue(dict, 'u', []byte(moduleName(name)))
			dict = appendValue(dict, 's', text)
		}
	}
	out := append(make([]byte, 0, len(dict)+64), '(', 2, 0, 0, 0)
	out = appendValue(out, 'u', fmt.Appendf(nil, "%08x%08x", digest.Sum32(), other.Sum32()))
	out = append(out, '{')
	out = append(out, dict...)
	return append(out, '0'), nil
}

// moduleName is the name by which a file of the package is imported.
func moduleName(file string) string {
	dir, base := path.Split(file)
	pack := path.Clean(dir)
	if base == "__init__.py" {
		return pack
	}
	return pack + "." + strings.TrimSuffix(base, ".py")
}

// appendValue appends bytes ('s') or a text in UTF-8 ('u') as marshal has them.
func appendValue(b []byte, kind byte, text []byte) []byte {
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // files of ours, some KB
	return append(b, text...)
}

// Exposition returns the program that adds up what prometheus_client has counted. The
// bytes belong to the caller.
func Exposition() ([]byte, error) {
	const file = "indrik/exposition.py"
	text, err := sources.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the embedded %s: %w", file, err)
	}
	return text, nil
}
