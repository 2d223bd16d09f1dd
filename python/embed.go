package python

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed indrik/*.py
var sources embed.FS

// start is the __main__.py that Python looks for at the root of a zip. It must not be
// indrik/__main__.py itself, whose relative imports need the package around it.
const start = `import sys

from indrik.__main__ import main

sys.exit(main())
`

// Zip returns a zip archive that Python can run: the package indrik, and at its root a
// __main__.py that starts the mold. Every call returns the same bytes, which belong to the
// caller. Nothing is compressed, because a Python may have been built without zlib.
func Zip() ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	if err := store(w, "__main__.py", []byte(start)); err != nil {
		return nil, err
	}
	names, err := fs.Glob(sources, "indrik/*.py") // sorted
	if err != nil {
		return nil, fmt.Errorf("list the embedded Python files: %w", err)
	}
	for _, name := range names {
		text, err := sources.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the embedded %s: %w", name, err)
		}
		if err := store(w, name, text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finish the Python archive: %w", err)
	}
	return archive.Bytes(), nil
}

// store adds a file without a time of change, so that equal sources make equal archives.
func store(w *zip.Writer, name string, text []byte) error {
	f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = f.Write(text)
	}
	if err != nil {
		return fmt.Errorf("add %s to the Python archive: %w", name, err)
	}
	return nil
}
