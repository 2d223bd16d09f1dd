package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The binary holds other people's work: every module that is linked in must be
// named, with its licence in Debian's copyright file and its version in the spec.
func TestEveryLinkedModuleIsCredited(t *testing.T) {
	root := project(t)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	copyright, spec := read("packaging/deb/debian/copyright"), read("packaging/rpm/indrik.spec")
	modules := run(t, "go", "list", "-C", root, "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/indrik")
	seen := make(map[string]bool)
	for line := range strings.Lines(modules) {
		path, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || seen[path] {
			continue
		}
		seen[path] = true
		if !strings.Contains(copyright, "\nFiles: vendor/"+path+"/*\n") {
			t.Errorf("packaging/deb/debian/copyright does not name %s", path)
		}
		provides := "Provides:       bundled(golang(" + path + ")) = " + strings.ReplaceAll(strings.TrimPrefix(version, "v"), "-", "~") + "\n"
		if !strings.Contains(spec, provides) {
			t.Errorf("packaging/rpm/indrik.spec lacks %q", provides)
		}
	}
	if len(seen) < 5 {
		t.Errorf("go list names %d modules only:\n%s", len(seen), modules)
	}
	for line := range strings.Lines(spec) {
		if path, _, ok := strings.Cut(strings.TrimPrefix(line, "Provides:       bundled(golang("), "))"); ok && strings.HasPrefix(line, "Provides:") && !seen[path] {
			t.Errorf("packaging/rpm/indrik.spec names %s, which is not linked in", path)
		}
	}
}
